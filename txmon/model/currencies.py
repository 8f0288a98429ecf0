"""ISO 4217: which currency codes exist and how many decimals their minor unit has.

Owns the table and look-ups on it; converts nothing. Codes without a minor unit (metals, bond units,
test and "no currency") are not money and are left out; codes withdrawn since 1999 stay, because
histories carry them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_TWO = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ
GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB
SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN
UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
"""
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_WITHDRAWN_TWO = """
ATS AZM CSD CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM NLG ROL SDD SIT SKK SLL SRG STD TRL USS
VEB VEF YUM ZMK ZWD ZWL ZWR
"""
_WITHDRAWN_ZERO = "BEF BYR ESP GRD ITL LUF PTE TPE"

EXPONENTS: dict[str, int] = {
    code: exponent
    for codes, exponent in (
        (_TWO + _WITHDRAWN_TWO, 2),
        (_ZERO + " " + _WITHDRAWN_ZERO, 0),
        (_THREE, 3),
        (_FOUR, 4),
    )
    for code in codes.split()
}
UNKNOWN = -1


def exponent(code: str) -> int:
    """Return the number of decimals of a currency.

    Raises:
        KeyError: the code is not in the table.
    """
    return EXPONENTS[code]


def exponents(codes: pa.Array) -> np.ndarray:
    """Return the decimals of each code as int8; `UNKNOWN` where it is null or not in the table.

    `codes` is text or a dictionary of text; a dictionary costs one look-up per distinct code.
    """
    coded = codes if pa.types.is_dictionary(codes.type) else codes.dictionary_encode()
    table = np.array([EXPONENTS.get(c, UNKNOWN) for c in coded.dictionary.to_pylist()] + [UNKNOWN], np.int8)
    indices = coded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
    out: np.ndarray = table[indices]
    return out
