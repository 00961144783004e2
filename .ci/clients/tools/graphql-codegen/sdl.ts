// The same client from the committed SDL, and with every document that the schema comes with.
import type { CodegenConfig } from "@graphql-codegen/cli";
import config from "./codegen";

const [settings] = Object.values(config.generates);
const sdl: CodegenConfig = {
  schema: "schema/schema.graphql",
  documents: ["schema/operations/*.graphql", "src/*.ts"],
  generates: { "src/sdl/": settings! },
};

export default sdl;
