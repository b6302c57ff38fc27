// Has two daemons become contacts and talk, by types that were generated from openapi.json.
//
//	node conversation.js BASE TOKEN BASE TOKEN
import createClient from "openapi-fetch";
import type { paths } from "./pabal.js";

const text = "안녕, 반가워요 👋";

function client(base: string, token: string) {
  return createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });
}

const [minaBase, minaToken, jiwooBase, jiwooToken] = process.argv.slice(2) as [string, string, string, string];
const mina = client(minaBase, minaToken);
const jiwoo = client(jiwooBase, jiwooToken);

const invite = await mina.POST("/v1/invites", { body: {} });
if (!invite.data?.uri) throw new Error(`create invite: ${invite.error?.code}`);

const accepted = await jiwoo.POST("/v1/invites/accept", { body: { uri: invite.data.uri, alias: "Mina" } });
if (!accepted.data) throw new Error(`accept invite: ${accepted.error?.code}`);

const sent = await jiwoo.POST("/v1/contacts/{id}/messages", {
  params: { path: { id: accepted.data.contact_id }, query: { wait: "delivered" } },
  body: { text },
});
if (sent.data?.status?.state !== "delivered") throw new Error(`send: ${sent.error?.code}`);

let found = 0;
const conversations = await mina.GET("/v1/conversations");
for (const { id } of conversations.data?.items ?? []) {
  const page = await mina.GET("/v1/conversations/{id}/messages", { params: { path: { id } } });
  for (const message of page.data?.items ?? []) {
    if (message.body?.text === text) found++;
  }
}
if (found !== 1) throw new Error(`the text is there ${found} times`);
console.log("types generated in TypeScript: sent, delivered, read once");
