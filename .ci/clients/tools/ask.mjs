// One GraphQL request of the authenticated key.
const URL = `${process.env.HOC_URL}/graphql`;

export const authorization = `Bearer ${process.env.HOC_KEY}`;

// The data; an answer with errors is thrown.
export async function ask(query, variables = {}) {
  const headers = { authorization, "content-type": "application/json" };
  const response = await fetch(URL, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await response.json();
  if (errors) throw new Error(`${JSON.stringify(errors)}\n${query}`);
  return data;
}
