import type { StoredKey } from './key-store.js'
import { type LimitReset, remaining, usageOf } from './spending.js'
import { formatDate, formatMicros, type Periods } from './times.js'

/** A key as the API shows it. Money is in dollars, times are `2026-02-19T20:52:27.363244+00:00`. */
export interface WireKey {
  hash: string
  name: string
  label: string
  disabled: boolean
  limit: number | null
  limit_remaining: number | null
  limit_reset: LimitReset | null
  include_byok_in_limit: boolean
  usage: number
  usage_daily: number
  usage_weekly: number
  usage_monthly: number
  byok_usage: number
  byok_usage_daily: number
  byok_usage_weekly: number
  byok_usage_monthly: number
  created_at: string
  updated_at: string | null
  expires_at: string | null
  creator_user_id: string | null
  external_user: string | null
  workspace_id: string
}

/** Gives a key as the API shows it, its usage that of the periods given. The secret is not in it. */
export function viewKey(key: StoredKey, periods: Periods): WireKey {
  return {
    hash: key.hash,
    name: key.name,
    label: labelOf(key.secret),
    disabled: key.disabled,
    ...viewSpending(key, periods),
    created_at: formatMicros(key.createdAt),
    updated_at: key.updatedAt && formatDate(key.updatedAt),
    expires_at: key.expiresAt && formatDate(key.expiresAt),
    creator_user_id: key.creatorUserId,
    external_user: null,
    workspace_id: key.workspaceId,
  }
}

/** Gives a key's limit and usage, the part that `GET /key` shows as well. Nobody here brings a key of another provider. */
export function viewSpending(
  key: Pick<StoredKey, 'limit' | 'limitReset' | 'includeByokInLimit' | 'spent'>,
  periods: Periods,
) {
  const usage = usageOf(key.spent, periods)
  return {
    limit: key.limit,
    limit_remaining: remaining(key.limit, key.limitReset, usage),
    limit_reset: key.limitReset,
    include_byok_in_limit: key.includeByokInLimit,
    usage: usage.total,
    usage_daily: usage.daily,
    usage_weekly: usage.weekly,
    usage_monthly: usage.monthly,
    byok_usage: 0,
    byok_usage_daily: 0,
    byok_usage_weekly: 0,
    byok_usage_monthly: 0,
  }
}

/** Gives the form in which a secret may be shown: its beginning and its last four characters. */
export function labelOf(secret: string): string {
  return `${secret.slice(0, 'sk-or-v1-'.length + 3)}…${secret.slice(-4)}`
}
