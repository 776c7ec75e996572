package tree

import "github.com/commshub/commshub/han/gbcs"

// The ASN.1 of the use cases. Sources: the reader of ASN.1 payloads in gbcs-parser 0.5.0
// of SmartDCC, whose names are kept; CS02f, CS02g and CS09 by the messages published as
// RTDS 4.5.0, which are made of the same parts.

const (
	command  = gbcs.Command
	response = gbcs.Response
	alert    = gbcs.Alert
)

// derMessages are the types of the payloads.
var derMessages = map[derMessage]typ{
	// CS02a and CS02f: security credentials, read.
	{0x0008, command}: sequence("provideSecurityCredentialDetailsCommand",
		as("authorisingRemotePartyTACellIdentifier", trustAnchorCellIdentifier),
		sequenceOf("remotePartyRolesCredentialsRequired", remotePartyRole)),
	{0x0008, response}: remotePartyDetails("provideSecurityCredentialDetailsResponse"),
	{0x011B, command}: sequence("provideSecurityCredentialDetailsCommand",
		as("authorisingRemotePartyTACellIdentifier", trustAnchorCellIdentifier),
		sequenceOf("remotePartyRolesCredentialsRequired", remotePartyRole)),
	{0x011B, response}: remotePartyDetails("provideSecurityCredentialDetailsResponse"),

	// CS02b and CS02g: security credentials, replaced.
	{0x00CB, alert}: updateSecurityCredentialsAlert,
	{0x0124, alert}: updateSecurityCredentialsAlert,

	// CS02c, CS02d, CS02e: the device's own certificates.
	{0x000A, command}: sequence("issueSecurityCredentialsCommand", keyUsage),
	{0x000A, response}: choice("",
		certificationRequest("certificationRequest"),
		integer("responseCode", map[uint64]string{1: "invalidKeyUsage", 2: "keyPairGenerationFailed", 3: "cRProductionFailed"})),
	{0x000B, command}: certificate("certificate"),
	{0x000B, response}: integer("responseCode", map[uint64]string{0: "success", 1: "invalidCertificate", 2: "wrongDeviceIdentity",
		3: "invalidKeyUsage", 4: "noCorrespondingKeyPairGenerated", 5: "wrongPublicKey", 6: "certificateStorageFailed",
		7: "privateKeyChangeFailed"}),
	{0x000C, command}: sequence("provideDeviceCertificateCommand", keyUsage),
	{0x000C, response}: choice("",
		certificate("certificate"),
		integer("responseCode", map[uint64]string{1: "invalidKeyUsage", 2: "noCertificateHeld", 3: "certificateRetrievalFailure"})),

	// CS03: join; CS04: unjoin.
	{0x000D, command}: joinDeviceCommand, {0x000D, response}: joinResponseCode,
	{0x00AB, command}: joinDeviceCommand, {0x00AB, response}: joinResponseCode,
	{0x000E, command}: joinDeviceCommand, {0x000E, response}: joinResponseCode,
	{0x00AF, command}: joinDeviceCommand, {0x00AF, response}: joinResponseCode,
	{0x000F, command}: entityIdentifier("entityIdentifier"), {0x000F, response}: unjoinResponseCode,
	{0x0010, command}: entityIdentifier("entityIdentifier"), {0x0010, response}: unjoinResponseCode,

	// CS06: firmware.
	{0x0012, command}: sequence("activateFirmwareCommand", octetString("manufacturerImageHash"),
		integer("originatorCounter", nil), optional(generalizedTime("executionDateTime"))),
	{0x0012, response}: choice("", null("commandAccepted"), activationOutcome),
	{0x00CA, alert}: sequence("activateFirmwareAlert", alertCodeField("alertCode"), generalizedTime("executionDateTime"),
		integer("originatorCounter", nil), activationOutcome),

	// CS07: what has joined.
	{0x0013, command}: null("readDeviceJoinDetailsCommand"),
	{0x0013, response}: sequence("readDeviceJoinDetailsResponse",
		integer("responseCode", map[uint64]string{0: "success", 1: "readFailure"}), optional(deviceLog)),

	// CCS08, CS08, CS09: firmware of and by the hub and devices beside the meters.
	{0x0128, alert}: sequence("firmwareTransferAlert", alertCodeField("alertCode"), generalizedTime("executionDateTime"),
		entityIdentifier("entityIdentifier"), octetString("firmwareVersion"),
		integer("responseCode", map[uint64]string{0: "success", 1: "imageDiscarded", 2: "hardwareVersionMismatch", 3: "fileTransferFailure"})),
	{0x0129, command}: null("readFirmwareVersionCommand"),
	{0x0129, response}: sequence("readFirmwareVersionResponse", octetString("firmwareVersion"),
		integer("responseCode", map[uint64]string{0: "readSuccess", 1: "readFailure"})),
	{0x012B, alert}: sequence("firmwareActivationAlert", alertCodeField("alertCode"), generalizedTime("executionDateTime"),
		octetString("firmwareVersion"), integer("activateImage", map[uint64]string{0: "success", 1: "failure"})),

	// GCS28: the gas meter's clock; GCS59 and GCS62: the gas proxy's device log.
	{0x007F, command}: sequence("setTimeCommand", generalizedTime("validityIntervalStart"), generalizedTime("validityIntervalEnd")),
	{0x007F, response}: sequence("setTimeResponse", generalizedTime("deviceTime"),
		integer("deviceTimeStatus", map[uint64]string{0: "reliable", 1: "invalid", 2: "unreliable"})),
	{0x008C, command}: sequence("gpfDeviceLogRestoreCommand", deviceLog),
	{0x008C, response}: sequence("gpfDeviceLogRestoreResponse",
		sequenceOf("restoreOutcomes", sequence("restoreOutcome", deviceLogEntry, as("joinResponseCode", joinResponseCode)))),
	{0x00B2, alert}: sequence("gpfDeviceLogBackupAlert", alertCodeField("alertCode"), generalizedTime("backupDateTime"), deviceLog),
}

func init() {
	// CS02b has a code for each way of replacing, 0100 to 0109, and CS02g two.
	codes := []gbcs.MessageCode{0x0125, 0x0126}
	for code := gbcs.MessageCode(0x0100); code <= 0x0109; code++ {
		codes = append(codes, code)
	}
	for _, code := range codes {
		derMessages[derMessage{code, command}] = updateSecurityCredentialsCommand
		derMessages[derMessage{code, response}] = sequence("updateSecurityCredentialsResponse",
			null("commandAccepted"), optional(credentialsOutcome))
	}
}

// Parts that several use cases have.
var (
	remotePartyRole = integer("remotePartyRole", map[uint64]string{0: "root", 1: "recovery", 2: "supplier", 3: "networkOperator",
		4: "accessControlBroker", 5: "transitionalCoS", 6: "wanProvider", 7: "issuingAuthority", 8: "loadController", 127: "other"})
	// A certificate's key usage has more bits than these (RFC 5280 §4.2.1.3).
	keyUsage = bitString("keyUsage", map[int]string{0: "digitalSignature", 4: "keyAgreement", 5: "keyCertSign", 6: "cRLSign"})
	// The default is management, which is then not there.
	cellUsage  = optional(integer("cellUsage", map[uint64]string{0: "management", 1: "prePaymentTopUp"}))
	statusCode = enumerated("statusCode", map[uint64]string{0: "success", 5: "badCertificate", 10: "noTrustAnchor",
		17: "insufficientMemory", 25: "trustAnchorNotFound", 30: "resourcesBusy", 127: "other"})

	trustAnchorCellIdentifier = sequence("trustAnchorCellIdentifier", remotePartyRole, keyUsage, cellUsage)

	specialistSeqNumber = sequence("specialistSeqNumber",
		integer("seqNumberUsage", map[uint64]string{0: "prepaymentTopUp"}), integer("seqNumber", nil))
	remotePartySeqNumberChange = sequence("remotePartySeqNumberChange", as("otherRemotePartyRole", remotePartyRole),
		integer("otherRemotePartyFloorSeqNumber", nil),
		optional(sequenceOf("newRemotePartySpecialistFloorSeqNumber", specialistSeqNumber)))

	credentialsReplacementMode = integer("credentialsReplacementMode", map[uint64]string{0: "rootBySupplier", 1: "rootByWanProvider",
		2: "supplierBySupplier", 3: "networkOperatorByNetworkOperator", 4: "accessControlBrokerByACB",
		5: "wanProviderByWanProvider", 6: "transCoSByTransCoS", 7: "supplierByTransCoS",
		8: "anyExceptAbnormalRootByRecovery", 9: "anyByContingency", 10: "loadControllerByLoadController",
		11: "loadControllerBySupplier"})

	updateSecurityCredentialsCommand = sequence("updateSecurityCredentialsCommand",
		sequence("authorisingRemotePartyControl",
			credentialsReplacementMode,
			optional(tagged(0x80, octetString("plaintextSymmetricKey"))),
			optional(tagged(0x81, integer("applyTimeBasedCPVChecks", map[uint64]string{0: "apply", 1: "disapply"}))),
			optional(tagged(0xA2, as("authorisingRemotePartyTACellIdentifier", trustAnchorCellIdentifier))),
			tagged(0x83, integer("authorisingRemotePartySeqNumber", nil)),
			optional(tagged(0x84, integer("newRemotePartyFloorSeqNumber", nil))),
			optional(tagged(0xA5, sequenceOf("newRemotePartySpecialistFloorSeqNumber", specialistSeqNumber))),
			optional(tagged(0xA6, sequenceOf("otherRemotePartySeqNumberChanges", remotePartySeqNumberChange)))),
		sequenceOf("replacements", sequence("trustAnchorReplacement",
			certificate("replacementCertificate"), as("targetTrustAnchorCell", trustAnchorCellIdentifier))),
		sequenceOf("certificationPathCertificates", certificate("certificate")),
		optional(generalizedTime("executionDateTime")))
	credentialsOutcome = sequence("executionOutcome",
		integer("authorisingRemotePartySeqNumber", nil),
		credentialsReplacementMode,
		sequenceOf("remotePartySeqNumberChanges", remotePartySeqNumberChange),
		sequenceOf("replacementOutcomes", sequence("replacementOutcome",
			as("affectedTrustAnchorCell", trustAnchorCellIdentifier), statusCode,
			entityIdentifier("existingSubjectUniqueID"), octetString("existingSubjectKeyIdentifier"),
			entityIdentifier("replacingSubjectUniqueID"), octetString("replacingSubjectKeyIdentifier"))))
	updateSecurityCredentialsAlert = sequence("updateSecurityCredentialsAlert",
		alertCodeField("alertCode"), generalizedTime("executionDateTime"), credentialsOutcome)

	deviceType = integer("deviceType", map[uint64]string{0: "gSME", 1: "eSME", 2: "communicationsHubCommunicationsHubFunction",
		3: "communicationsHubGasProxyFunction", 4: "hCALCS", 5: "pPMID", 6: "type2"})
	deviceLogEntry = sequence("deviceLogEntry", entityIdentifier("deviceIdentifier"), deviceType)
	deviceLog      = sequenceOf("deviceLogEntries", deviceLogEntry)

	joinDeviceCommand = sequence("joinDeviceCommand",
		integer("joinMethodAndRole", map[uint64]string{0: "methodAInitiator", 1: "methodAResponder", 2: "methodB", 3: "methodC"}),
		entityIdentifier("otherDeviceEntityIdentifier"), as("otherDeviceType", deviceType),
		optional(certificate("otherDeviceCertificate")))
	joinResponseCode = integer("responseCode", map[uint64]string{0: "success", 1: "invalidMessageCodeForJoinMethodAndRole",
		2: "invalidJoinMethodAndRole", 3: "incompatibleWithExistingEntry", 4: "deviceLogFull", 5: "writeFailure",
		6: "keyAgreementNoResources", 7: "keyAgreementUnknownIssuer", 8: "keyAgreementUnsupportedSuite",
		9: "keyAgreementBadMessage", 10: "keyAgreementBadKeyConfirm", 11: "invalidOrMissingCertificate",
		12: "noPartnerLinkKeyReceived", 13: "noCBKEResponse"})
	unjoinResponseCode = integer("responseCode", map[uint64]string{0: "success", 1: "notInDeviceLog", 2: "otherFailure"})

	activationOutcome = sequence("executionOutcome",
		integer("activateImageResponseCode", map[uint64]string{0: "success", 1: "noImageHeld", 2: "hashMismatch", 3: "activationFailure"}),
		octetString("firmwareVersion"))
)

func remotePartyDetails(name string) typ {
	return sequenceOf(name, sequence("remotePartyDetails", remotePartyRole, statusCode,
		optional(integer("currentSeqNumber", nil)),
		optional(sequenceOf("trustAnchorCellsDetails", sequence("trustAnchorCellContents", keyUsage, cellUsage,
			entityIdentifier("existingSubjectUniqueID"), octetString("existingSubjectKeyIdentifier"))))))
}
