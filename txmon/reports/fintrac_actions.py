"""One transaction of FINTRAC's report: what came in or went out, who acted, where the money ended."""

from __future__ import annotations

import re
from typing import Any

from txmon.model.currencies import EXPONENTS
from txmon.reports import fintrac_codes as codes
from txmon.reports.fincen_subjects import side_party
from txmon.reports.fincen_text import line, shortened
from txmon.reports.fintrac_parties import Definitions, given
from txmon.reports.fintrac_shape import empty_lists
from txmon.reports.model import Account, Money, Report, Side, Transaction

_LOCATION = "fintrac_location"
_NOT_IN_REFERENCES = re.compile(r"[^A-Za-z0-9_-]")


def transaction_document(
    report: Report, index: int, transaction: Transaction, definitions: Definitions
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a transaction and, for its paths, the fields of the model."""
    at = f"transactions[{index}]"
    incoming = transaction.to_side.client and not transaction.from_side.client
    starting = _starting(transaction, definitions, incoming=incoming)
    completing = [] if transaction.attempted else [_completing(transaction, definitions, incoming=incoming)]
    made = {
        **given(reportingEntityLocationId=line(report.filer.organisation.number(_LOCATION))),
        "suspiciousTransactionDetails": _details(transaction),
        "startingActions": [starting],
        "completingActions": completing,
    }
    origins = {
        "reportingEntityLocationId": "filer.organisation.identifiers",
        "suspiciousTransactionDetails.reasonNotCompleted": f"{at}.status_text",
        "suspiciousTransactionDetails.dateOfTransaction": f"{at}.at",
        "suspiciousTransactionDetails.methodCode": f"{at}.channel",
        "suspiciousTransactionDetails.reportingEntityTransactionReference": f"{at}.reference",
        "startingActions[0]": f"{at}.from_side",
        "startingActions[0].details.amount": f"{at}.amount",
        "startingActions[0].details.currencyCode": f"{at}.amount",
        "startingActions[0].details.account": f"{at}.from_side.account_id",
        "startingActions[0].conductors": f"{at}.from_side.conductor_id",
        "completingActions": f"{at}.to_side",
        "completingActions[0].details.account": f"{at}.to_side.account_id",
        "completingActions[0].beneficiaries": f"{at}.to_side.party_id",
    }
    return made, origins


def amount_text(money: Money) -> str:
    """Return an amount in major units; with two decimals or more, or none where the currency has none."""
    return f"{money.major:f}" if money.currency in EXPONENTS else ""


def _details(transaction: Transaction) -> dict[str, Any]:
    method = codes.METHODS.get(transaction.channel, codes.METHOD_OTHER)
    other = transaction.channel.replace("_", " ") if method == codes.METHOD_OTHER else ""
    posted = transaction.posted_at
    return {
        "attemptedTransactionIndicator": transaction.attempted,
        **given(
            reasonNotCompleted=shortened(transaction.status_text, 200) if transaction.attempted else "",
            dateOfTransaction=f"{transaction.at:%Y-%m-%d}",
            timeOfTransaction=f"{transaction.at:%H:%M:%S}+00:00",
            methodCode=method,
            methodOther=other,
            dateOfPosting=f"{posted:%Y-%m-%d}" if posted else "",
            timeOfPosting=f"{posted:%H:%M:%S}+00:00" if posted else "",
            reportingEntityTransactionReference=_reference(transaction),
            purpose=shortened(transaction.purpose, 200),
        ),
    }


def _starting(transaction: Transaction, definitions: Definitions, *, incoming: bool) -> dict[str, Any]:
    side = transaction.from_side
    funds = codes.FUNDS_BY_METHOD.get(transaction.method, codes.FUNDS_OTHER)
    if not incoming and funds not in codes.FUNDS_OUT:
        funds = codes.FUNDS_WITHDRAWAL
    source = definitions.reference(side_party(definitions.report, side), 1) if incoming else None
    conductor = _conductor(transaction, definitions)
    details = empty_lists("StartingDetails") | _money(transaction, side, definitions)
    details |= given(
        direction=codes.IN if incoming else codes.OUT,
        fundAssetVirtualCurrencyTypeCode=funds,
        fundAssetVirtualCurrencyTypeOther=transaction.method if funds == codes.FUNDS_OTHER else "",
        sourcesOfFundsOrVirtualCurrencyIndicator=source is not None,
        conductorIndicator=conductor is not None,
    )
    return {
        "details": details,
        "sourcesOfFundsOrVirtualCurrency": [] if source is None else [source],
        "conductors": [] if conductor is None else [conductor],
    }


def _conductor(transaction: Transaction, definitions: Definitions) -> dict[str, Any] | None:
    side = transaction.from_side
    who = definitions.reference(side.conductor_id or side.party_id, 5)
    if who is None:
        return None
    others = [r for p in side.on_behalf_of if (r := definitions.reference(p, 5)) is not None]
    party = definitions.report.party(side.conductor_id or side.party_id)
    details = given(
        clientNumber=line(party.party_id) if party and party.is_client else "",
        emailAddress=line(party.emails[0]) if party and party.emails else "",
        deviceIdentifierNumber=line(transaction.device),
        internetProtocolAddress=line(transaction.ip),
        onBehalfOfIndicator=bool(others),
    )
    return {**who, "details": details, "onBehalfOfs": others}


def _completing(transaction: Transaction, definitions: Definitions, *, incoming: bool) -> dict[str, Any]:
    side = transaction.to_side
    beneficiary = definitions.reference(side_party(definitions.report, side), 3)
    details = empty_lists("CompletingDetails") | _money(transaction, side, definitions)
    local = transaction.local or transaction.amount
    details |= given(
        dispositionCode=_disposition(transaction, incoming=incoming),
        valueInCanadianDollars=amount_text(local) if local.currency == "CAD" else "",
        involvementIndicator=False,
        beneficiaryIndicator=beneficiary is not None,
    )
    return {
        "details": details,
        "involvements": [],
        "beneficiaries": [] if beneficiary is None else [beneficiary],
    }


def _reference(transaction: Transaction) -> str:
    """Return the filer's reference, else the model's id with what the authority takes no part of replaced."""
    own = line(transaction.reference)
    return own or _NOT_IN_REFERENCES.sub("-", transaction.transaction_id)


def _disposition(transaction: Transaction, *, incoming: bool) -> int:
    """Money that comes in is deposited; money that goes out is paid, by where and how it goes."""
    if incoming:
        return codes.DEPOSIT
    if transaction.method == "crypto":
        return codes.OUT_VIRTUAL
    if transaction.method in ("cash", "atm"):
        return codes.CASH_OUT
    if transaction.method in ("transfer", "wire"):
        home = transaction.to_side.country in ("", "CA")
        return codes.TRANSFER_HOME if home else codes.TRANSFER_ABROAD
    return codes.PAYMENT_TO_ACCOUNT


def _money(transaction: Transaction, side: Side, definitions: Definitions) -> dict[str, Any]:
    money = side.foreign or transaction.amount
    account = definitions.report.account(side.account_id)
    made = given(
        amount=amount_text(money),
        currencyCode=money.currency,
        exchangeRate=f"{side.rate:.10f}" if side.rate else "",
        referenceNumber=line(transaction.reference),
    )
    if transaction.method == "crypto":
        made["virtualCurrencyTransactionIds"] = _listed(transaction.transaction_hash)
        made["sendingVirtualCurrencyAddresses"] = _listed(transaction.wallet_from)
        made["receivingVirtualCurrencyAddresses"] = _listed(transaction.wallet_to)
    if account is not None and line(account.number or account.iban):
        made["account"] = _account(account, definitions)
        made |= given(accountStatusAtTimeOfTransaction=codes.ACCOUNT_STATUS.get(account.status))
    return made


def _account(account: Account, definitions: Definitions) -> dict[str, Any]:
    """Return an account with its holders, except those who may be victims."""
    holders = [r for h in account.holders if (r := definitions.reference(h.party_id, 1)) is not None]
    institution = account.institution
    return {
        **given(
            financialInstitutionNumber=line(institution.bic) if institution else "",
            branchNumber=line(institution.branch) if institution else "",
            number=line(account.number or account.iban),
            typeCode=2 if account.kind in codes.BUSINESS_ACCOUNTS else 1,
            currencyCode=account.currency,
            dateOpened=account.opened_on.isoformat() if account.opened_on else "",
            dateClosed=account.closed_on.isoformat() if account.closed_on else "",
        ),
        "holders": holders,
    }


def _listed(text: str) -> list[str]:
    return [line(text)] if line(text) else []
