"""The shape of FINTRAC's suspicious transaction report (JSON): its objects, their fields, what must be there.

Nothing beyond these fields is taken by the authority, and lists that must be there may be empty. The writer
and the validator both go by it; nothing here reads or writes a report.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple


class Field(NamedTuple):
    """A field of an object. `kind` is that of `fintrac_values`, or ``>Shape``; a list holds values of it."""

    kind: str
    required: bool
    many: bool


_NAMES = "surname s100\ngivenName s100\notherNameInitial s100\n"
_CONTACT = "addressTypeCode one_two\naddress >Address\ntelephoneNumber s20\nextensionNumber s10\n"
_PLACE = (
    "jurisdictionOfIssueCountryCode country\njurisdictionOfIssueProvinceStateCode alpha2\n"
    "jurisdictionOfIssueProvinceStateName s100\n"
)
_MONEY = (
    "amount amount\ncurrencyCode currency\nvirtualCurrencyTypeCode s20\nvirtualCurrencyTypeOther s200\n"
    "exchangeRate rate\nvirtualCurrencyTransactionIds! [s200]\nsendingVirtualCurrencyAddresses! [s200]\n"
    "receivingVirtualCurrencyAddresses! [s200]\nreferenceNumber s200\n"
    "referenceNumberOtherRelatedNumber s200\naccount >Account\n"
    "accountStatusAtTimeOfTransaction code:account_status\n"
)
_ENTITY = (
    "nameOfEntity s100\nnatureOfPrincipalBusiness s200\nregistrationIncorporationIndicator bool\n"
    "registrationsIncorporations! [>Registration]\nidentifications! [>EntityDocument]\n"
    "authorizedPersons! [>Names]\n" + _CONTACT
)
_PERSON = (
    _NAMES
    + _CONTACT
    + "alias s100\ndateOfBirth date\ncountryOfResidenceCode country\noccupation s200\n"
    + "identifications! [>PersonDocument]\n"
)
_ACCOUNT_NUMBERS = "accountNumber s100\npolicyNumber s100\nidentifyingNumber s100"

_SHAPES: Final = {
    "Report": "reportDetails! >ReportDetails\ndetailsOfSuspicion! >Suspicion\nrelatedReports! [>Related]\n"
    "actionTaken >Action\ndefinitions! [>Definition]\ntransactions! [>Transaction]",
    "ReportDetails": "reportTypeCode! code:report\nsubmitTypeCode! code:submit\n"
    "activitySectorCode code:sector\nreportingEntityNumber! entity\nsubmittingReportingEntityNumber! entity\n"
    "reportingEntityReportReference! ref100\nreportingEntityContactId! number\nministerialDirectiveCode s20",
    "Suspicion": "descriptionOfSuspiciousActivity text\nsuspicionTypeCode code:suspicion\n"
    "publicPrivatePartnershipProjectNameCodes! [code:project]\n"
    "politicallyExposedPersonIncludedIndicator bool",
    "Related": "reportingEntityReportReference! ref100\nreportingEntityTransactionReferences! [ref200]",
    "Action": "description text",
    "Transaction": "reportingEntityLocationId! s30\nsuspiciousTransactionDetails! >TransactionDetails\n"
    "startingActions! [>Starting]\ncompletingActions! [>Completing]",
    "TransactionDetails": "attemptedTransactionIndicator! bool\nreasonNotCompleted s200\n"
    "dateOfTransaction date\ntimeOfTransaction time\nmethodCode code:method\nmethodOther s200\n"
    "dateOfPosting date\ntimeOfPosting time\nreportingEntityTransactionReference ref200\npurpose s200",
    "Starting": "details! >StartingDetails\nsourcesOfFundsOrVirtualCurrency! [>Source]\n"
    "conductors! [>Conductor]",
    "StartingDetails": "direction code:direction\nfundAssetVirtualCurrencyTypeCode code:funds\n"
    "fundAssetVirtualCurrencyTypeOther s200\nhowFundsOrVirtualCurrencyObtained s200\n"
    "sourcesOfFundsOrVirtualCurrencyIndicator bool\nconductorIndicator bool\n" + _MONEY,
    "Source": "typeCode! type12\nrefId! ref50\ndetails >Numbers",
    "Numbers": _ACCOUNT_NUMBERS,
    "Conductor": "typeCode! type56\nrefId! ref50\ndetails! >ConductorDetails\nonBehalfOfs! [>OnBehalfOf]",
    "ConductorDetails": "clientNumber s100\nemailAddress s200\nurl s200\ntypeOfDeviceCode code:device\n"
    "typeOfDeviceOther s200\nusername s100\ndeviceIdentifierNumber s200\ninternetProtocolAddress s200\n"
    "dateTimeOfOnlineSession datetime\nonBehalfOfIndicator bool",
    "OnBehalfOf": "typeCode! type56\nrefId! ref50\ndetails >OnBehalfOfDetails",
    "OnBehalfOfDetails": "clientNumber s100\nemailAddress s200\nurl s200\n"
    "relationshipOfConductorCode code:relationship\nrelationshipOfConductorOther s200",
    "Completing": "details! >CompletingDetails\ninvolvements! [>Source]\nbeneficiaries! [>Beneficiary]",
    "CompletingDetails": "dispositionCode code:disposition\ndispositionOther s200\n"
    "valueInCanadianDollars amount\ninvolvementIndicator bool\nbeneficiaryIndicator bool\n" + _MONEY,
    "Beneficiary": "typeCode! type34\nrefId! ref50\ndetails >BeneficiaryDetails",
    "BeneficiaryDetails": "clientNumber s100\nusername s100\nemailAddress s200",
    "Account": "financialInstitutionNumber s50\nbranchNumber s50\nnumber s100\ntypeCode code:account\n"
    "typeOther s200\ncurrencyCode currency\nvirtualCurrencyTypeCode s20\nvirtualCurrencyTypeOther s200\n"
    "dateOpened date\ndateClosed date\nholders! [>Holder]",
    "Holder": "typeCode! type12\nrefId! ref50",
    "Names": _NAMES,
    "PersonContact": _NAMES + _CONTACT,
    "PersonDocument": "identifierTypeCode code:person_document\nidentifierTypeOther s200\nnumber s100\n"
    + _PLACE,
    "EntityDocument": "identifierTypeCode code:entity_document\nidentifierTypeOther s200\nnumber s100\n"
    + _PLACE,
    "Registration": "typeCode code:registration\nnumber s100\n" + _PLACE,
    "Employer": "name s100\n" + _CONTACT,
    "Address1": "typeCode! one_two\nunitNumber s10\nbuildingNumber s10\nstreetAddress s100\ncity s100\n"
    "district s100\nprovinceStateCode alpha2\nprovinceStateName s100\nsubProvinceSubLocality s100\n"
    "postalZipCode s20\ncountryCode country",
    "Address2": "typeCode! one_two\ncountryCode country\nunstructured! s500",
    "Definition1": "typeCode! any_type\nrefId! ref50\n" + _NAMES,
    "Definition2": "typeCode! any_type\nrefId! ref50\nnameOfEntity s100",
    "Definition3": "typeCode! any_type\nrefId! ref50\nnameOfEmployer s100\n" + _PERSON,
    "Definition4": "typeCode! any_type\nrefId! ref50\n" + _ENTITY,
    "Definition5": "typeCode! any_type\nrefId! ref50\ncountryOfCitizenshipCode country\n"
    "employerInformation >Employer\n" + _PERSON,
    "Definition6": "typeCode! any_type\nrefId! ref50\nstructureTypeCode code:structure\n"
    "structureTypeOther s200\ndirectorsOfCorporation! [>PersonContact]\n"
    "personsOwningSharesOfCorporation! [>Names]\ntrusteesOfTrust! [>PersonContact]\n"
    "settlorsOfTrust! [>PersonContact]\npersonsOwningUnitsOfTrust! [>PersonContact]\n"
    "beneficiariesOfTrust! [>PersonContact]\npersonsOwningEntityNotCorporationOrTrust! [>Names]\n" + _ENTITY,
}


@cache
def fields(shape: str) -> dict[str, Field]:
    """Return the fields of an object."""
    found = {}
    for line in _SHAPES[shape].splitlines():
        name, kind = line.split()
        many = kind.startswith("[")
        found[name.rstrip("!")] = Field(kind.strip("[]"), name.endswith("!"), many)
    return found


def empty_lists(shape: str) -> dict[str, object]:
    """Return the lists that an object must have, all empty."""
    return {name: [] for name, field in fields(shape).items() if field.required and field.many}
