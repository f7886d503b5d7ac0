import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import type { Account } from './account.js'
import { json, Refusal } from './answers.js'
import { type Call, type Route, readBody, readQuery, wholeNumber } from './call.js'
import type { KeySettings, StoredKey } from './key-store.js'
import { viewKey } from './key-view.js'

/** How many keys a page of the list has. No parameter changes it. */
export const KEYS_PER_PAGE = 100

const changeable = {
  name: z.string().min(1),
  limit: z.number().min(0).nullable(),
  limit_reset: z.enum(['daily', 'weekly', 'monthly']).nullable(),
  include_byok_in_limit: z.boolean(),
}

const listQuery = z.strictObject({
  offset: wholeNumber.default(0),
  include_disabled: z.enum(['true', 'false']).default('false'),
  workspace_id: z.uuid().optional(),
})

// Only what is UTC by its own words will do: an offset of +00:00 is refused as any other.
const utcTime = z.iso
  .datetime('must be in UTC with seconds, as 2026-11-30T23:59:59Z')
  .transform((text) => new Date(text))

const creation = z
  .strictObject({
    ...changeable,
    expires_at: utcTime.nullable(),
    workspace_id: z.uuid(),
    creator_user_id: z.string().min(1).nullable(),
  })
  .partial()
  .required({ name: true })

const change = z.strictObject({ ...changeable, disabled: z.boolean() }).partial()

/** The endpoints under `/keys`. */
export function keyRoutes(account: Account): Route[] {
  const view = (key: StoredKey) => viewKey(key, account.periods())

  function list(call: Call): Response {
    const { offset, include_disabled, workspace_id } = readQuery(call, listQuery)
    const workspace = account.workspaces.find(workspace_id)
    if (workspace === undefined) throw new Refusal(404, 'workspace_id: no such workspace')
    const page = account.keys.page(workspace.id, include_disabled === 'true', offset, KEYS_PER_PAGE)
    const periods = account.periods()
    return json({ data: page.map((key) => viewKey(key, periods)) })
  }

  function create(call: Call): Response {
    const wanted = readBody(call, creation)
    const workspace = account.workspaces.find(wanted.workspace_id)
    if (workspace === undefined) throw new Refusal(400, 'workspace_id: no such workspace')
    if (wanted.expires_at && wanted.expires_at <= account.now()) {
      throw new Refusal(400, 'expires_at: must be in the future')
    }
    const secret = `sk-or-v1-${randomBytes(32).toString('hex')}`
    const key = account.keys.create(
      {
        secret,
        name: wanted.name,
        disabled: false,
        limit: wanted.limit ?? null,
        limitReset: wanted.limit_reset ?? null,
        includeByokInLimit: wanted.include_byok_in_limit ?? false,
        workspaceId: workspace.id,
        creatorUserId: wanted.creator_user_id ?? null,
        expiresAt: wanted.expires_at ?? null,
      },
      account.now(),
    )
    return json({ data: view(key), key: secret }, 201)
  }

  function update(call: Call): Response {
    const { limit_reset, include_byok_in_limit, ...rest } = readBody(call, change)
    const settings: Partial<KeySettings> = { ...rest }
    if (limit_reset !== undefined) settings.limitReset = limit_reset
    if (include_byok_in_limit !== undefined) settings.includeByokInLimit = include_byok_in_limit
    const key = find(call)
    account.keys.change(key, settings, account.now())
    return json({ data: view(key) })
  }

  function remove(call: Call): Response {
    account.deleteKey(find(call).hash)
    return json({ deleted: true })
  }

  function find(call: Call): StoredKey {
    const key = account.keys.find(call.params.hash ?? '')
    if (key === undefined) throw new Refusal(404, 'API key not found')
    return key
  }

  const one = /^\/keys\/(?<hash>[^/]+)$/
  return [
    { method: 'GET', path: /^\/keys$/, answer: list },
    { method: 'POST', path: /^\/keys$/, answer: create },
    { method: 'GET', path: one, answer: (call) => json({ data: view(find(call)) }) },
    { method: 'PATCH', path: one, answer: update },
    { method: 'DELETE', path: one, answer: remove },
  ]
}
