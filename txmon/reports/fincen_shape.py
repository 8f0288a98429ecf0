"""The shape of a SARX batch: which element stands where, how often, with which kind of value.

Written down from the SARX schema, file version 1.2, in its own order. The writer puts elements in this order
and the validator judges a file by it. Nothing here reads or writes XML.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final


@dataclass(frozen=True)
class Item:
    """One element of a parent: name, how often it may stand, kind of value or, with children, its shape."""

    name: str
    low: int
    high: int
    kind: str = ""  # of a simple element, see fincen_values
    shape: str = ""  # of an element with children


# One line an element: name, occurrences (`?` 0..1, `1`, `n..m`), and `kind` or `>Shape`.
_PARTY = """
ActivityPartyTypeCode 1 code:party
AdmissionConfessionNoIndicator ? flag
AdmissionConfessionYesIndicator ? flag
AllCriticalSubjectInformationUnavailableIndicator ? flag
BirthDateUnknownIndicator ? flag
BothPurchaserSenderPayeeReceiveIndicator ? flag
ContactDateText ? date?
FemaleGenderIndicator ? flag
IndividualBirthDateText ? birth?
LossToFinancialAmountText ? s15
MaleGenderIndicator ? flag
NoBranchActivityInvolvedIndicator ? flag
NoKnownAccountInvolvedIndicator ? flag
NonUSFinancialInstitutionIndicator ? flag
PartyAsEntityOrganizationIndicator ? flag
PayeeReceiverIndicator ? flag
PayLocationIndicator ? flag
PrimaryRegulatorTypeCode ? code:regulator
PurchaserSenderIndicator ? flag
SellingLocationIndicator ? flag
SellingPayingLocationIndicator ? flag
UnknownGenderIndicator ? flag
"""

_SHAPES: Final = {
    "Batch": "FormTypeCode 1 form\nActivity 1..1000000 >Activity",
    "Activity": """
EFilingPriorDocumentNumber ? long14
FilingDateText 1 date
FilingInstitutionNotetoFinCEN ? s50
ActivityAssociation 1 >ActivityAssociation
ActivitySupportDocument ? >ActivitySupportDocument
Party 6..1203 >Party
SuspiciousActivity 1 >SuspiciousActivity
ActivityIPAddress 0..99 >ActivityIPAddress
CyberEventIndicators 0..99 >CyberEventIndicators
Assets 0..31 >Assets
AssetsAttribute 0..396 >AssetsAttribute
ActivityNarrativeInformation 1..5 >ActivityNarrativeInformation
""",
    "ActivityAssociation": """
ContinuingActivityReportIndicator ? flag
CorrectsAmendsPriorReportIndicator ? flag
InitialReportIndicator ? flag
JointReportIndicator ? flag
""",
    "ActivitySupportDocument": "OriginalAttachmentFileName 1 s150",
    "Party": _PARTY
    + """
PartyName 0..100 >PartyName
Address 0..99 >Address
PhoneNumber 0..99 >PhoneNumber
PartyIdentification 0..100 >PartyIdentification
OrganizationClassificationTypeSubtype 0..15 >OrganizationClassificationTypeSubtype
PartyOccupationBusiness ? >PartyOccupationBusiness
ElectronicAddress 0..198 >ElectronicAddress
PartyAssociation 0..99 >PartyAssociation
PartyAccountAssociation ? >PartyAccountAssociation
""",
    "PartyName": """
EntityLastNameUnknownIndicator ? flag
FirstNameUnknownIndicator ? flag
PartyNameTypeCode 1 code:name
RawEntityIndividualLastName ? s150
RawIndividualFirstName ? s35
RawIndividualMiddleName ? s35
RawIndividualNameSuffixText ? s35
RawPartyFullName ? s150
""",
    "Address": """
CityUnknownIndicator ? flag
CountryCodeUnknownIndicator ? flag
RawCityText ? s50
RawCountryCodeText ? s2
RawStateCodeText ? s3
RawStreetAddress1Text ? s100
RawZIPCode ? s9
StateCodeUnknownIndicator ? flag
StreetAddressUnknownIndicator ? flag
ZIPCodeUnknownIndicator ? flag
""",
    "PhoneNumber": """
PhoneNumberExtensionText ? s6
PhoneNumberText ? s16
PhoneNumberTypeCode ? code:phone
""",
    "PartyIdentification": """
IdentificationPresentUnknownIndicator ? flag
OtherIssuerCountryText ? s2
OtherIssuerStateText ? s3
OtherPartyIdentificationTypeText ? s50
PartyIdentificationNumberText ? s25
PartyIdentificationTypeCode ? code:identification
TINUnknownIndicator ? flag
""",
    "OrganizationClassificationTypeSubtype": """
OrganizationSubtypeID ? code:organization_subtype
OrganizationTypeID 1 code:organization
OtherOrganizationSubTypeText ? s50
OtherOrganizationTypeText ? s50
""",
    "PartyOccupationBusiness": "NAICSCode ? s6\nOccupationBusinessText ? s50",
    "ElectronicAddress": "ElectronicAddressText 1 s517\nElectronicAddressTypeCode 1 code:electronic",
    "PartyAssociation": """
AccountantIndicator ? flag
ActionTakenDateText ? date?
AgentIndicator ? flag
AppraiserIndicator ? flag
AttorneyIndicator ? flag
BorrowerIndicator ? flag
CustomerIndicator ? flag
DirectorIndicator ? flag
EmployeeIndicator ? flag
NoRelationshipToInstitutionIndicator ? flag
OfficerIndicator ? flag
OtherPartyAssociationTypeText ? s50
OtherRelationshipIndicator ? flag
OwnerShareholderIndicator ? flag
RelationshipContinuesIndicator ? flag
ResignedIndicator ? flag
SubjectRelationshipFinancialInstitutionTINText ? s25
SuspendedBarredIndicator ? flag
TerminatedIndicator ? flag
Party 0..99 >BranchParty
""",
    "BranchParty": _PARTY + "Address 1 >Address\nPartyIdentification ? >PartyIdentification",
    "PartyAccountAssociation": """
AccountClosedIndicator ? flag
PartyAccountAssociationTypeCode 1 code:account_role
Party 1..99 >AccountParty
""",
    "AccountParty": _PARTY + "PartyIdentification ? >PartyIdentification\nAccount 0..99 >Account",
    "Account": "AccountNumberText ? s40\nPartyAccountAssociation 1 >AccountRole",
    "AccountRole": "AccountClosedIndicator ? flag\nPartyAccountAssociationTypeCode 1 code:account_role",
    "SuspiciousActivity": """
AmountUnknownIndicator ? flag
CumulativeTotalViolationAmountText ? s15
NoAmountInvolvedIndicator ? flag
SuspiciousActivityFromDateText 1 date
SuspiciousActivityToDateText ? date?
TotalSuspiciousAmountText ? s15
SuspiciousActivityClassification 1..99 >SuspiciousActivityClassification
""",
    "SuspiciousActivityClassification": """
OtherSuspiciousActivityTypeText ? s50
SuspiciousActivitySubtypeID 1 code:subactivity
SuspiciousActivityTypeID 1 code:activity
""",
    "ActivityIPAddress": """
ActivityIPAddressDateText ? date?
ActivityIPAddressTimeStampText ? time?
IPAddressText 1 s39
""",
    "CyberEventIndicators": """
CyberEventDateText ? date?
CyberEventIndicatorsTypeCode 1 code:cyber
CyberEventTimeStampText ? time?
CyberEventTypeOtherText ? s50
EventValueText 1 text4000
""",
    "Assets": "AssetSubtypeID 1 code:asset\nAssetTypeID 1 code:asset_type\nOtherAssetSubtypeText ? s50",
    "AssetsAttribute": "AssetAttributeDescriptionText ? s50\nAssetAttributeTypeID 1 code:asset_attribute",
    "ActivityNarrativeInformation": """
ActivityNarrativeSequenceNumber 1 code:block
ActivityNarrativeText 1 text4000
""",
}

ROOT_ATTRIBUTES: Final = (
    "TotalAmount",
    "PartyCount",
    "ActivityCount",
    "ActivityAttachmentCount",
    "AttachmentCount",
)


def _item(line: str) -> Item:
    name, often, kind = line.split()
    low, high = {"?": (0, 1), "1": (1, 1)}.get(often) or tuple(int(n) for n in often.split(".."))
    return Item(name, low, high, shape=kind[1:]) if kind.startswith(">") else Item(name, low, high, kind=kind)


@cache
def items(shape: str) -> tuple[Item, ...]:
    """Return the elements of a shape in their order."""
    return tuple(_item(line) for line in _SHAPES[shape].splitlines() if line.strip())
