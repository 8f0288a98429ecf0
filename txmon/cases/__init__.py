"""Case work: what a team makes of alerts, from the queue to a decision.

    opening.open_case(tx, who, [Seen(alert, version)...], title, reason) -> case_id
    opening.link / unlink / merge / split
    moves.change(tx, proposals, who, Wanted(case_id, version), change) -> what is done, or proposed
    parties.add / amend / contact;  signs.answer;  files.add
    queue.page(conn, who, ...): alerts to be worked on;  queue.work: assign, snooze or take up many
    sight.case_row(conn, who, case_id): a case, as far as it is this one's to know; NotFound otherwise
    timeline.page(...), network.of_case(...): what happened, and who is connected with whom

Everything that changes is a decision in the journal, made in the writer's turn, and names the version of the
case that was read. Nothing here acts by itself on an account or a person, and nothing knows of reports.
"""
