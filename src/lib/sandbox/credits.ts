import type { Account } from './account.js'
import { json } from './answers.js'
import type { Route } from './call.js'

/** `GET /credits`: what the account has bought, and what all its keys have spent of it, in dollars. */
export function creditRoutes({ credits }: Account): Route[] {
  const show = () => json({ data: { total_credits: credits.purchased, total_usage: credits.spent } })
  return [{ method: 'GET', path: /^\/credits$/, answer: show }]
}
