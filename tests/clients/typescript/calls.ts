// Everyday calls with the generated types. Arguments: the address of the host and a token.
import createClient from "openapi-fetch";
import type { components, paths } from "./build/api.js";

declare const process: { argv: string[] };

const [, , baseUrl = "", token = ""] = process.argv;
const client = createClient<paths, "application/json" | "application/problem+json">({
  baseUrl,
  headers: { Authorization: `Bearer ${token}` },
  querySerializer: { array: { style: "form", explode: false } },
});
type StartProblem = paths["/api/timers/start"]["post"]["responses"][409]["content"]["application/problem+json"];

function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function got<T>(answer: { data?: T; error?: unknown; response: Response }): NonNullable<T> {
  assert(answer.data !== undefined && answer.data !== null, `${answer.response.url}: ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** Every code of a conflict has a case, and its own members; a missing case does not compile. */
function conflictingStart(problem: StartProblem): string | undefined {
  switch (problem.code) {
    case "timer_already_running":
      return problem.runningTimer?.startedAt;
    case "timer_already_ended":
      return problem.entry?.stoppedAt;
    case "inside_another_entry":
      return problem.runningTimer?.startedAt ?? problem.entry?.startedAt;
    case "timer_id_taken":
      return undefined;
    default:
      return problem satisfies never;
  }
}

const work = { organization: "contoso", project: "Website", workItemId: 42 };
const signIn = got(await client.POST("/api/sign-in"));
const role: components["schemas"]["Role"] = signIn.user.role;
assert(role === "super_admin", "the role");
const me = got(await client.GET("/api/me"));
assert(me.id === signIn.user.id, "the account");

const started = got(await client.POST("/api/timers/start", { body: work }));
const refused = await client.POST("/api/timers/start", { body: { ...work, workItemId: 43 } });
assert(refused.error?.code === "timer_already_running", "the conflict");
assert(conflictingStart(refused.error) === started.startedAt, "the running timer of the conflict");
const running = got(await client.GET("/api/timers/running"));
assert(running.workItemId === 42, "the running timer");
const noted = got(
  await client.PATCH("/api/timers/running", { body: { note: "the review", timerId: running.id } }),
);
assert(noted.note === "the review", "the note of the running timer");
const session = got(await client.GET("/api/session"));
assert(session.user?.id === me.id && session.runningTimer?.id === running.id, "the session");
const other = await client.DELETE("/api/timers/running", {
  params: { query: { timerId: "3f2b8c1e-5d47-4a90-b6f1-0c9e7d2a4b58" } },
});
const shown = other.error?.code === "other_timer_running" ? other.error.runningTimer.id : undefined;
assert(shown === running.id, "the timer that was started since");
const switched = got(await client.POST("/api/timers/start", { body: { ...work, workItemId: 43, switch: true } }));
assert(switched.stopped?.id === started.id, "the stopped timer");
const stopped = got(
  await client.POST("/api/timers/stop", { body: {}, params: { header: { "Idempotency-Key": "stop-1" } } }),
);
assert(stopped.elapsedMs >= 0, "the entry");

const hours = { startedAt: "2026-11-20T09:00:00Z", stoppedAt: "2026-11-20T10:00:00Z" };
const entered = await client.POST("/api/entries", { body: { ...work, ...hours, note: "the review" } });
const entry = got(entered);
const tag = entered.response.headers.get("ETag");
assert(tag !== null && entry.elapsedMs === 3_600_000, "the new entry");
const path = { id: entry.id };
const read = got(await client.GET("/api/entries/{id}", { params: { path } }));
assert(read.note === "the review", "the note");
const corrected = await client.PATCH("/api/entries/{id}", {
  params: { path, header: { "If-Match": tag } },
  body: { note: null, reason: "it was for another day" },
});
assert(got(corrected).note === undefined, "null deletes the note");
const late = await client.PATCH("/api/entries/{id}", {
  params: { path, header: { "If-Match": tag } },
  body: { project: "Website 2", reason: "renamed" },
});
assert(late.error?.code === "precondition_failed", "the changed entry");
const day = await client.PUT("/api/days/{date}/work-items/{organization}/{id}", {
  params: { path: { date: "2026-11-19", organization: "contoso", id: "42" } },
  body: { project: "Website", elapsedMs: 5_400_000, expectedMs: 3_600_000 },
});
const present = day.error?.code === "day_changed" ? day.error.elapsedMs : undefined;
assert(present === 0, "the present time of the day");
const hour = await client.POST("/api/entries", { body: { ...work, date: "2026-11-19", elapsedMs: 3_600_000 } });
assert(got(hour).days[0]?.date === "2026-11-19", "the entry by duration");
const page = got(await client.GET("/api/entries", { params: { query: { pageSize: 1, workItemId: [42, 43] } } }));
assert(page.items.length === 1 && page.nextLink !== undefined, "a page of entries");

const item = { organization: "contoso", id: "42" };
const time = got(await client.GET("/api/work-items/{organization}/{id}/time", { params: { path: item } }));
assert(time.own.entries > 0 && time.runningTimers.length === 0, "the time on a work item");
const placed = await client.PUT("/api/work-items/{organization}/{id}/favorite", {
  params: { path: item },
  body: { position: 1 },
});
assert(got(placed).items[0]?.project === "Website", "the favorites");
const found = got(await client.GET("/api/work-items", { params: { query: { search: "#42" } } }));
assert(found.azureDevOps === "notAsked" && found.items[0]?.id === 42, "the found work items");

const query = { month: "2026-11", groupBy: ["project", "user", "workItem"] } satisfies NonNullable<
  paths["/api/reports/month"]["get"]["parameters"]["query"]
>;
const report = got(await client.GET("/api/reports/month", { params: { query } }));
const sum = report.rows.reduce((total, row) => total + row.elapsedMs, 0);
assert(sum === report.totalMs && report.rows[0]?.workItem?.id === 42, "the rows of the report");
const week = got(await client.GET("/api/reports/week", { params: { query: { week: "2026-W47" } } }));
assert(week.days.length === 7, "the week");
const csv = await client.GET("/api/reports/month", { params: { query: { ...query, format: "csv" } }, parseAs: "text" });
assert(got(csv).includes("Website"), "the report as CSV");
const workbook = await client.GET("/api/reports/month", {
  params: { query: { ...query, format: "xlsx" } },
  parseAs: "blob",
});
assert(got(workbook).size > 1000, "the report as a workbook");
const everything = await client.GET("/api/privacy/export", {
  params: { query: { format: "zip" } },
  parseAs: "arrayBuffer",
});
assert(got(everything).byteLength > 0, "the download of all data");

const item = { organization: "contoso", id: "42" };
const spent = got(await client.GET("/api/work-items/{organization}/{id}/time", { params: { path: item } }));
assert(spent.own.elapsedMs >= 3_600_000 && spent.everyone?.entries === spent.own.entries, "the time of a work item");
const changes = got(
  await client.GET("/api/entries", { params: { query: { changedSince: "2026-11-01T00:00:00Z", source: "manual" } } }),
);
assert(changes.items.length > 0 && changes.nextChangedSince !== undefined, "the changes since");
const log = got(await client.GET("/api/timer-log", { params: { query: { event: "corrected", user: "me" } } }));
assert(log.items[0]?.actor?.displayName === me.displayName, "the author in the log");
const versioned = await client.GET("/api/audit", {
  params: { query: { action: "tenant.created" }, header: { "api-version": "2026-12-01" } },
});
assert(got(versioned).items[0]?.actor?.id === me.id, "the audit log");
assert(versioned.response.headers.get("api-version") === "2026-12-01", "the version");

const people = got(await client.GET("/api/users", { params: { query: { role: "super_admin" } } }));
assert(people.items.some((person) => person.id === me.id), "the people");
const invited = got(await client.POST("/api/users", { body: { users: [{ email: "ben@contoso.example" }] } }));
assert(invited.added === 1, "the invitation");
const removed = await client.POST("/api/entries/{id}/delete", {
  params: { path, header: { "If-Match": "*" } },
  body: { reason: "by mistake" },
});
assert(removed.response.ok, "the deleted entry");
const lost = await client.GET("/api/entries/{id}", { params: { path: { id: "nobody's" } } });
assert(lost.error?.code === "not_found", "an unknown entry");
console.log("done");
