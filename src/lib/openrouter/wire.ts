import * as z from 'zod'
import type { Key } from '../core/key.js'
import { parseLimitReset } from '../core/money.js'

/** A key as OpenRouter sends it: what the tool uses is checked, all else is ignored, since fields come and go. */
const wireKey = z
  .object({
    hash: z.string().min(1),
    name: z.string(),
    label: z.string().default(''),
    disabled: z.boolean(),
    limit: z.number().nullable(),
    limit_remaining: z.number().nullish(),
    limit_reset: z.string().nullish(),
    usage: z.number(),
    byok_usage: z.number().default(0),
    created_at: z.string(),
    expires_at: z.string().nullish(),
  })
  .transform(
    (key): Key => ({
      hash: key.hash,
      name: key.name,
      label: key.label,
      disabled: key.disabled,
      limit: key.limit,
      limitRemaining: key.limit_remaining ?? null,
      limitReset: parseLimitReset(key.limit_reset ?? '') ?? null,
      usage: key.usage,
      byokUsage: key.byok_usage,
      createdAt: key.created_at,
      expiresAt: key.expires_at ?? null,
    }),
  )

/** The answer to `GET /keys`: one page, newest first. */
export const pageAnswer = z.object({ data: z.array(wireKey) }).transform((answer) => answer.data)

/** The answer to `GET` or `PATCH /keys/{hash}`: the whole key. */
export const keyAnswer = z.object({ data: wireKey }).transform((answer) => answer.data)

/** The answer to `POST /keys`: the only place where a secret ever stands. */
export const createdAnswer = z
  .object({ data: wireKey, key: z.string().min(1) })
  .transform((answer) => ({ key: answer.data, secret: answer.key }))

/** The answer to `DELETE /keys/{hash}`. */
export const deletedAnswer = z.object({ deleted: z.literal(true) })

/** The answer to `GET /credits`, in US dollars: what was bought, and what all keys have spent of it. */
export const creditsAnswer = z
  .object({ data: z.object({ total_credits: z.number(), total_usage: z.number() }) })
  .transform(({ data }) => data.total_credits - data.total_usage)

/** One page of a list that says how long it is. */
const pageOf = <T extends z.ZodType>(item: T) =>
  z
    .object({ data: z.array(item), total_count: z.number().optional() })
    .transform(({ data, total_count: total }) => ({ data, total }))

/** The answer to `GET /workspaces`. */
export const workspacesAnswer = pageOf(z.object({ id: z.string(), name: z.string(), slug: z.string() }))

/** The answer to `GET /guardrails`. */
export const guardrailsAnswer = pageOf(z.object({ id: z.string(), name: z.string() }))

/** The answer to `GET /guardrails/assignments/keys`: which key has which guardrail. */
export const assignmentsAnswer = pageOf(
  z
    .object({ key_hash: z.string(), guardrail_id: z.string() })
    .transform(({ key_hash: hash, guardrail_id: guardrailId }) => ({ hash, guardrailId })),
)

/** The answer to `POST /guardrails/{id}/assignments/keys`. */
export const assignedAnswer = z
  .object({ assigned_count: z.number() })
  .transform((answer) => answer.assigned_count)

/** OpenRouter's own words in an answer that is an error. */
export const errorAnswer = z.object({ error: z.object({ message: z.string() }) })
