// Lints the schema and its documents; every problem must be a known one, and every known one must still be there.
import { ESLint } from "eslint";

// The rule has no options. These names are the field's own, or tell two ids or types of one object apart.
const KNOWN = [
  `Field "agentId" starts with the name of the parent type "Agent"`, // beside the global id
  `Field "decisionType" starts with the name of the parent type "Decision"`,
  `Field "limitType" starts with the name of the parent type "Limit"`, // as in LimitBreach and PolicyContext
  `Field "traceId" starts with the name of the parent type "Trace"`, // OpenTelemetry's
];

const results = await new ESLint().lintFiles(["schema/schema.graphql", "schema/operations/*.graphql"]);
const problems = results.flatMap(({ filePath, messages }) => messages.map((message) => ({ filePath, ...message })));
const unknown = problems.filter(({ message }) => !KNOWN.includes(message));
const gone = KNOWN.filter((known) => !problems.some(({ message }) => message === known));
for (const { filePath, line, ruleId, message } of unknown) console.error(`${filePath}:${line}: ${message} (${ruleId})`);
for (const message of gone) console.error(`no longer there: ${message}`);
console.log(`${results.length} files, ${KNOWN.length} known exceptions, ${unknown.length} problems`);
process.exitCode = unknown.length + gone.length ? 1 : 0;
