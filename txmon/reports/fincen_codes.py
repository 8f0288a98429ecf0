"""The code lists and key terms of FinCEN's SAR form that the writer and the validator use.

Codes are those of the SARX schema, file version 1.2. This module holds values, never logic on reports.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAMESPACE: Final = "www.fincen.gov/base"
FORM_TYPE: Final = "SARX"
TEST_TCC: Final = "TBSATEST"  # the transmitter control code of test submissions
SIMULATED: Final = "SIMULATED"

# Roles of a party in an activity (ActivityPartyTypeCode).
TRANSMITTER: Final = "35"
TRANSMITTER_CONTACT: Final = "37"
FILER: Final = "30"
SUBJECT: Final = "33"
LOCATION: Final = "34"  # institution where the activity occurred
CONTACT: Final = "8"
BRANCH: Final = "46"
AUTHORITY: Final = "18"
AUTHORITY_PERSON: Final = "19"
ACCOUNT_HOLDER: Final = "41"  # institution that keeps an account

# Types of identification.
EIN: Final = "2"
TIN: Final = "4"
FOREIGN_TIN: Final = "9"
TCC: Final = "28"
CONTROL_NUMBER: Final = "29"
OTHER_ID: Final = "999"
TAX_IDS: Final = frozenset({"1", EIN, TIN, FOREIGN_TIN})
PERSON_DOCUMENTS: Final = frozenset({"5", "6", "7", OTHER_ID})

NARRATIVE_BLOCK: Final = 4_000  # characters of one block
NARRATIVE_BLOCKS: Final = 5
NARRATIVE_TOTAL: Final = 17_000  # the fifth block takes 16,001 to 17,000

CODES: Final[dict[str, frozenset[str]]] = {
    name: _words(text)
    for name, text in {
        "party": "35 37 30 33 34 8 46 18 19 41",
        "organization": "1 2 3 4 5 11 12 999",
        "organization_subtype": (
            "101 102 103 503 504 508 513 514 528 529 533 534 535 539 540 541 542 1999 5999"
        ),
        "name": "L AKA DBA",
        "account_role": "5 7",
        "regulator": "1 2 3 4 6 7 9 13 99",
        "identification": "1 2 4 5 6 7 9 10 11 12 13 14 28 29 32 33 999",
        "phone": "F M R W",
        "electronic": "E U",
        "activity": "1 3 4 5 6 7 8 9 10 11 12",
        "subactivity": (
            "106 111 112 113 114 301 304 305 308 309 310 312 320 321 322 323 324 325 401 402 403 404 405 409 "
            "501 502 504 505 506 507 601 603 604 608 609 701 801 804 805 806 807 808 809 812 820 821 "
            "822 823 824 "
            "901 903 904 905 907 908 909 910 911 913 917 920 921 922 924 925 926 927 928 1001 1003 "
            "1005 1006 1007 "
            "1101 1102 1201 1202 1203 1204 1999 3999 4999 5999 6999 7999 8999 9999 10999 11999 12999"
        ),
        "asset": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 17 18 19 20 30 31 32 33 34 35 36 37 38 39 41 46 47",
        "asset_type": "5 6",
        "asset_attribute": "1 2 3 4",
        "cyber": "1 2 3 4 5 6 7 8 9 10 999",
        "block": "1 2 3 4 5",
    }.items()
}

INSTRUMENTS: Final = _words("31 32 33 34 35 36 37 38 39 41")  # assets of type 6; others: 5

COUNTRIES: Final = _words(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO "
    "BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ "
    "DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP "
    "GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG "
    "KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML "
    "MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE "
    "PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL "
    "SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM "
    "US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)

US_STATES: Final = _words(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV "
    "NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AA AE AP AS FM GU MH "
    "MP PR PW VI"
)
CA_PROVINCES: Final = _words("AB BC MB NB NL NS NT NU ON PE QC SK YT")
WITH_STATES: Final = frozenset({"US", "CA", "MX"})  # countries whose addresses need a state

# What an advisory asks for: the key term of the note to FinCEN, and the box to tick with its text.
HUMAN_TRAFFICKING: Final = "HUMAN TRAFFICKING FIN-2020-A008"
CHILD_EXPLOITATION: Final = "OCSE-FIN-2021-NTC3"
SEXTORTION: Final = "FIN-2025-SEXTORTION"
VIRTUAL_CURRENCY: Final = "CVC FIN-2019-A003"
TRAFFICKING_BOX: Final = ("9", "927")
SMUGGLING_BOX: Final = ("9", "926")
OTHER_BOX: Final = ("9", "9999")
OTHER_TEXT: Final = {CHILD_EXPLOITATION: "OCSE", SEXTORTION: "SEXTORTION"}
ADVISORY_MARK: Final = {
    HUMAN_TRAFFICKING: "FIN-2020-A008",
    CHILD_EXPLOITATION: CHILD_EXPLOITATION,
    SEXTORTION: SEXTORTION,
    VIRTUAL_CURRENCY: "FIN-2019-A003",
}
