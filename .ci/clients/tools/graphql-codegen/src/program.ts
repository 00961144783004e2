// A program on the generated client: what its types say is asserted here, and then what the server answers.
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import assert from "node:assert/strict";
import { ask } from "./ask";
import { graphql } from "./gql";

const PAGE = graphql(`
  query Page($first: Int!, $filter: RunFilter) {
    runs(first: $first, filter: $filter) {
      nodes {
        id
        startedAt
        costUsd
        inputTokens
        evidence {
          incidentsCaused(first: 10) {
            nodes {
              severity
            }
          }
        }
      }
    }
  }
`);

const CREATE_LIMIT = graphql(`
  mutation TryLimit($input: CreateLimitInput!) {
    createLimit(input: $input) {
      limit {
        maxValue
      }
      userErrors {
        field
        code
      }
    }
  }
`);

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Run = NonNullable<ResultOf<typeof PAGE>["runs"]["nodes"][number]>;
type Incident = NonNullable<NonNullable<NonNullable<Run["evidence"]>["incidentsCaused"]>["nodes"][number]>;
type Input = VariablesOf<typeof CREATE_LIMIT>["input"];

const TYPES: [
  Same<Run["id"], string>,
  Same<Run["startedAt"], string>,
  Same<Run["costUsd"], string | null>,
  Same<Run["inputTokens"], number | null>,
  Same<Incident["severity"], "CRITICAL" | "HIGH" | "MEDIUM" | "LOW">,
  Same<Input["maxValue"], string>,
] = [true, true, true, true, true, true];

// @ts-expect-error - an operation's required variable cannot be left out
const refused = () => ask(PAGE, {});
// @ts-expect-error - nor can a filter have a field that the schema lacks
const misspelt = () => ask(PAGE, { first: 1, filter: { agnetId: "x" } });

async function main() {
  assert.equal(TYPES.length + [refused, misspelt].length, 8);
  const page = await ask(PAGE, { first: 100, filter: { riskLevel: ["VIOLATED", "AT_RISK"] } });
  const costs = page.runs.nodes.flatMap((run) => run?.costUsd ?? []);
  assert.ok(costs.length > 0);
  assert.ok(costs.every((cost) => /^\d+(\.\d+)?$/.test(cost)));
  const incidents = page.runs.nodes.flatMap((run) => run?.evidence?.incidentsCaused?.nodes ?? []);
  assert.ok(incidents.some((incident) => incident?.severity === "HIGH"));
  const made = await ask(CREATE_LIMIT, { input: { name: "", limitType: "COST_USD", maxValue: "1.10" } });
  assert.deepEqual(made.createLimit.userErrors.map(({ field }) => field), ["name"]);
  console.log(`typed answers about ${page.runs.nodes.length} runs`);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
