import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: {
    [`${process.env.HOC_URL}/graphql`]: { headers: { Authorization: `Bearer ${process.env.HOC_KEY}` } },
  },
  documents: "src/**/*.ts",
  generates: {
    "src/gql/": {
      preset: "client",
      config: {
        strictScalars: true,
        scalars: {
          BigInt: "number", // within ±(2^53-1), which a number holds exactly
          Date: "string", // 2026-01-31
          DateTime: "string", // 2026-01-31T12:00:00+00:00
          Decimal: "string", // exact, as a number would not be
          JSON: "unknown",
        },
      },
    },
  },
};

export default config;
