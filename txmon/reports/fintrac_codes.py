"""The code lists of FINTRAC's suspicious transaction report, and what the model's words become in them.

Codes are those of the report's API, version 1. Values only; no logic on reports.
"""

from __future__ import annotations

from typing import Final


def _numbers(text: str) -> frozenset[int]:
    return frozenset(int(word) for word in text.split())


REPORT_TYPE: Final = 102
SUBMIT, UPDATE, DELETE = 1, 2, 5
IN, OUT = 1, 2

CODES: Final[dict[str, frozenset[int]]] = {
    "report": _numbers("102"),
    "submit": _numbers("1 2 5"),
    "sector": _numbers("1 2 3 4 5 6 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28"),
    "suspicion": _numbers("1 2 3 4 5 6 7"),
    "project": _numbers("1 2 3 5 6 7 8"),
    "method": _numbers("1 2 3 4 5 6 7 8 9 10 11 12"),
    "direction": _numbers("1 2"),
    "funds": _numbers("1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 17"),
    "disposition": _numbers("1 3 4 5 6 7 8 9 10 11 14 15 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32"),
    "account": _numbers("1 2 3 4 5"),
    "account_status": _numbers("1 2 3 4"),
    "device": _numbers("1 2 3 4"),
    "relationship": _numbers("1 2 3 4 5 6 7 8 9 10 11 12 13 14"),
    "structure": _numbers("1 2 3 4"),
    "registration": _numbers("1 2 4 5"),
    "person_document": _numbers("1 2 3 4 5 14 15 27 32 33 34 35 36 37 38 39 40"),
    "entity_document": _numbers("1 2 3 4 5 6 7"),
}
FUNDS_IN: Final = _numbers("1 2 3 4 5 6 8 9 10 11 12 13 14 16 17")
FUNDS_OUT: Final = _numbers("3 7 9 16 17")

# the code that means other, and the field that then says what
OTHER: Final = {
    "methodCode": (7, "methodOther"),
    "fundAssetVirtualCurrencyTypeCode": (17, "fundAssetVirtualCurrencyTypeOther"),
    "dispositionCode": (11, "dispositionOther"),
    "typeOfDeviceCode": (4, "typeOfDeviceOther"),
}

SECTORS: Final = {
    "depository": 2, "money_service": 11, "payment_institution": 11, "securities": 15, "insurance": 10,
    "casino": 5, "loan_finance": 16, "dealer": 18,
}  # fmt: skip
METHODS: Final = {"branch": 1, "atm": 2, "phone": 6, "online": 12, "mobile": 12}
METHOD_OTHER: Final = 7
FUNDS_BY_METHOD: Final = {
    "cash": 2, "cheque": 4, "internal": 5, "transfer": 5, "wire": 8, "crypto": 16,
}  # fmt: skip
FUNDS_OTHER, FUNDS_WITHDRAWAL, FUNDS_VIRTUAL = 17, 7, 16
DEPOSIT, TRANSFER_HOME, TRANSFER_ABROAD, CASH_OUT, OUT_VIRTUAL, PAYMENT_TO_ACCOUNT = 1, 24, 25, 10, 19, 28
ACCOUNT_STATUS: Final = {
    "active": 1, "blocked": 2, "frozen": 2, "restricted": 2, "dormant": 3, "closed": 4,
}  # fmt: skip
BUSINESS_ACCOUNTS: Final = frozenset({"business", "merchant"})
PERSON_DOCUMENTS: Final = {"passport": 2, "driving_licence": 4, "residence_permit": 32, "national_id": 35}
PERSON_DOCUMENT_OTHER, ENTITY_DOCUMENT_OTHER = 3, 7

PROTECT, SHADOW = 7, 8
PROJECTS: Final = {
    "sexual-exploitation": PROTECT, "human-trafficking": PROTECT, "child-exploitation": SHADOW,
    "child-sexual-exploitation": SHADOW, "sextortion": SHADOW,
}  # fmt: skip
HASHTAGS: Final = {2: "#ProjectAthena", PROTECT: "#ProjectPROTECT", SHADOW: "#ProjectSHADOW"}
