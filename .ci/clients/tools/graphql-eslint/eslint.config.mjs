// What the schema and its documents are held to: graphql-eslint's recommended rules and Relay's, exceptions with reasons.
import plugin from "@graphql-eslint/eslint-plugin";

// Parts of the object that holds them, without an identity by which a client could keep or ask for them again.
const PARTS = [
  "ActivityEvidence", // known by its spanId
  "Actor", // who acted, as recorded at that moment
  "CaptureCompleteness", // a verdict of this moment
  "CaptureFailure",
  "CapturedClass",
  "CheckpointTimestamp",
  "CheckpointWitness",
  "Divergence",
  "EnvironmentAttribute",
  "EvidenceSource",
  "ExportFile", // known by its export
  "FirstBreak",
  "IntegrityVerification", // a verdict of this moment
  "LogCheckpoint", // known by its treeSize
  "LogConsistency",
  "LogFault",
  "LogInclusion",
  "LogVerification", // a verdict of this moment
  "MissingEvidence",
  "ModelPrice", // known by provider, model and version
  "Operation", // known by its name
  "PolicyContext",
  "PolicyEvidence",
  "ProviderEvidence", // known by its spanId
  "RateLimit", // a key's budget at this moment
  "RawLog",
  "ReplayedDecision", // known by its place in the run's evidence
  "ReplayedStep", // known by its spanId, which is OpenTelemetry's
  "RunCapture",
  "RunEvidence",
  "RunGroup",
  "RunProof",
  "RunProofBundle", // a file
  "RunStats",
  "SealEvidence",
  "SignalFeedback",
  "SignalFeedbackEntry",
  "Trace", // known by its traceId, which is OpenTelemetry's
  "TraceStep", // known by its spanId, which is OpenTelemetry's
  "UserError",
  "Viewer", // whoever asks
];

// What a subscription tells, known by its cursor.
const EVENTS = ["Update", "UpdateBatch"];

const language = {
  parser: plugin.parser,
  parserOptions: { graphQLConfig: { schema: "schema/schema.graphql", documents: "schema/operations/*.graphql" } },
};
const plugins = { "@graphql-eslint": plugin };

export default [
  {
    files: ["schema/operations/*.graphql"],
    languageOptions: language,
    plugins,
    rules: plugin.configs["flat/operations-recommended"].rules,
  },
  {
    files: ["schema/schema.graphql"],
    languageOptions: language,
    plugins,
    rules: {
      ...plugin.configs["flat/schema-recommended"].rules,
      ...plugin.configs["flat/schema-relay"].rules,
      "@graphql-eslint/strict-id-in-types": [
        "error",
        { exceptions: { types: ["PageInfo", ...PARTS], suffixes: ["Connection", "Edge", "Payload", ...EVENTS] } },
      ],
      // Lists go forward only: a keyset of the other direction would need a second index each.
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
      "@graphql-eslint/relay-edge-types": [
        "error",
        {
          withEdgeSuffix: true,
          listTypeCanWrapOnlyEdgeType: false, // `nodes`, and what is short by nature, are plain lists
          shouldImplementNode: false, // rows of evidence are listed, not fetched by id
        },
      ],
    },
  },
];
