// One request with a typed document.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";

// The data; an answer with errors is thrown.
export async function ask<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(`${process.env.HOC_URL}/graphql`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.HOC_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
