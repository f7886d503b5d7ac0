import * as z from 'zod'
import type { Key } from '../core/key.js'
import { type LimitReset, parseLimitReset } from '../core/money.js'

/** A moment; one that names no zone is in UTC, as all of OpenRouter's are. */
const moment = z.string().transform((text) => (/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`))

/** When something ends: what is no moment is never. */
const ending = moment.nullish().transform((at) => (at && !Number.isNaN(Date.parse(at)) ? at : null))

/** A reset period; one that OpenRouter may add is kept as it is called, since it is not "never". */
const resetPeriod = z
  .string()
  .nullish()
  .transform((word) => parseLimitReset(word ?? '') ?? ((word ?? null) as LimitReset))

/** A key as OpenRouter sends it: what the tool uses is checked, all else is ignored, since fields come and go. */
const wireKey = z
  .object({
    hash: z.string().min(1),
    name: z.string(),
    label: z.string().nullish(),
    disabled: z.boolean(),
    limit: z.number().nullable(),
    limit_remaining: z.number().nullish(),
    limit_reset: resetPeriod,
    usage: z.number(),
    byok_usage: z.number().nullish(),
    created_at: moment,
    expires_at: ending,
  })
  .transform(
    (key): Key => ({
      hash: key.hash,
      name: key.name,
      label: key.label ?? '',
      disabled: key.disabled,
      limit: key.limit,
      limitRemaining: key.limit_remaining ?? null,
      limitReset: key.limit_reset,
      usage: key.usage,
      byokUsage: key.byok_usage ?? 0,
      createdAt: key.created_at,
      expiresAt: key.expires_at,
    }),
  )

/** A secret, and not the masked form of one. */
const WHOLE_SECRET = /^[\w-]+$/

/** A key that was made. */
export interface CreatedKey {
  hash: string
  secret: string
  /** Absent where OpenRouter's description of it is not understood. */
  key?: Key
}

/** The answer to `GET /keys`: one page, newest first. */
export const pageAnswer = z.object({ data: z.array(wireKey) }).transform((answer) => answer.data)

/** The answer to `GET` or `PATCH /keys/{hash}`: the whole key. */
export const keyAnswer = z.object({ data: wireKey }).transform((answer) => answer.data)

/**
 * The answer to `POST /keys`: the only place where a secret ever stands. The secret and the hash are all that it must
 * hold: a field that has changed its form is no reason to throw a secret away. The rest can be asked for again.
 */
export const createdAnswer = z
  .object({ data: z.looseObject({ hash: z.string().min(1) }), key: z.string().regex(WHOLE_SECRET) })
  .transform(({ data, key: secret }): CreatedKey => {
    const key = wireKey.safeParse(data)
    return { hash: data.hash, secret, ...(key.success && { key: key.data }) }
  })

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
