// Documents whose types gql.tada infers from the text; only types are asserted, nothing is sent.
import { initGraphQLTada, type ResultOf, type VariablesOf } from "gql.tada";
import type { introspection } from "./graphql-env";

const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { BigInt: number; Date: string; DateTime: string; Decimal: string; JSON: unknown };
}>();

const FEEDBACK = graphql(`
  fragment Feedback on SignalFeedback {
    acknowledged
    acknowledgedAt
  }
`);

export const INBOX = graphql(
  `
    query Inbox($first: Int!, $filter: SignalFilter) {
      signals(first: $first, filter: $filter) {
        nodes {
          id
          severity
          feedback {
            ...Feedback
          }
          run {
            costUsd
            inputTokens
          }
        }
      }
    }
  `,
  [FEEDBACK],
);

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Signal = NonNullable<ResultOf<typeof INBOX>["signals"]["nodes"][number]>;
type Run = NonNullable<Signal["run"]>;

export const TYPES: [
  Same<Run["costUsd"], string | null>,
  Same<Run["inputTokens"], number | null>,
  Same<ResultOf<typeof FEEDBACK>["acknowledgedAt"], string | null>,
  Same<VariablesOf<typeof INBOX>["first"], number>,
] = [true, true, true, true];
