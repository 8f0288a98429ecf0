"""From a case to a report and out: the institution, its records, the case's evidence."""
