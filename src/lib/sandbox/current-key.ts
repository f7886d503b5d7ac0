import type { Account } from './account.js'
import { json } from './answers.js'
import type { Call, Route } from './call.js'
import { labelOf, viewSpending } from './key-view.js'
import { formatDate } from './times.js'

/** `GET /key`: what a key, of whatever kind, may know about itself. */
export function currentKeyRoutes(account: Account): Route[] {
  function show(call: Call): Response {
    const key = call.caller === null ? undefined : account.keys.find(call.caller)
    const unlimited = { limit: null, limitReset: null, includeByokInLimit: false, spent: [] }
    const data = {
      label: labelOf(key?.secret ?? account.managementKey),
      ...viewSpending(key ?? unlimited, account.periods()),
      expires_at: key?.expiresAt ? formatDate(key.expiresAt) : null,
      creator_user_id: key?.creatorUserId ?? null,
      organization_id: null,
      workspace_id: key?.workspaceId ?? null,
      is_free_tier: false,
      is_management_key: key === undefined,
      is_provisioning_key: key === undefined,
      allowed_data_regions: ['global'],
      free_model_daily_requests: { limit: 1000, remaining: 1000, used: 0 },
      rate_limit: { requests: -1, interval: '10s', note: 'This field is deprecated and safe to ignore.' },
    }
    return json({ data })
  }

  return [{ method: 'GET', path: /^\/key$/, anyKey: true, answer: show }]
}
