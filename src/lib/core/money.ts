/** An amount of US dollars. Compare two of them with `sameLimit`, never with `===`: see MICRO. */
export type Usd = number

/** What a key may spend: US dollars, or null for no limit at all. Zero is a limit of zero. */
export type Limit = Usd | null

/** How often a limit refills, at midnight UTC (weeks start on Monday); null is never. */
export type LimitReset = 'daily' | 'weekly' | 'monthly' | null

/**
 * Amounts are told apart to a millionth of a dollar, the finest that the tool accepts: 0.1 + 0.2 and 0.3 are
 * one amount, although they are two floating-point numbers.
 */
const MICRO = 1_000_000

const AMOUNT = /^\$?(\d+(?:\.\d{0,6})?|\.\d{1,6})$/
const MOST = 1_000_000_000

/**
 * Reads an amount as a person writes it: `3`, `3.0`, `$3.00`, `.5`.
 * @returns US dollars, or undefined for anything else: a sign, a comma, an exponent, more than six decimals
 */
export function parseUsd(text: string): Usd | undefined {
  const match = AMOUNT.exec(text.trim())
  if (!match) return undefined
  const usd = Number(match[1])
  return usd <= MOST ? usd : undefined
}

/** Reads a limit: an amount, or `unlimited` in any case. Gives undefined for anything else. */
export function parseLimit(text: string): Limit | undefined {
  return text.trim().toLowerCase() === 'unlimited' ? null : parseUsd(text)
}

/**
 * Reads an amount that is to be added, as a person writes it: `+5`, `+ $2.50`.
 * @returns US dollars, or undefined for anything else
 */
export function parseRaise(text: string): Usd | undefined {
  const amount = /^\+\s*(?:\$\s*)?([\d.]+)$/.exec(text.trim())?.[1]
  return amount === undefined ? undefined : parseUsd(amount)
}

/** Reads a reset period in any case; empty is none. Gives undefined for anything else. */
export function parseLimitReset(text: string): LimitReset | undefined {
  const word = text.trim().toLowerCase()
  if (word === '') return null
  return word === 'daily' || word === 'weekly' || word === 'monthly' ? word : undefined
}

/** A reset period for a file and for a person: `daily`, `weekly`, `monthly` or `none`. */
export function resetText(reset: LimitReset): string {
  return reset ?? 'none'
}

/** Whether two limits are the same amount to a millionth of a dollar, or both are no limit. */
export function sameLimit(a: Limit, b: Limit): boolean {
  if (a === null || b === null) return a === b
  return Math.round(a * MICRO) === Math.round(b * MICRO)
}

/** The sum of amounts, without the dust that adding floating-point numbers leaves. */
export function sumUsd(amounts: readonly Usd[]): Usd {
  return amounts.reduce((sum, usd) => sum + Math.round(usd * MICRO), 0) / MICRO
}

/** An amount for a file: plain digits, at least the cents, no exponent: `3.00`, `0.012345`. */
export function usdText(usd: Usd): string {
  return usd.toFixed(6).replace(/0{1,4}$/, '')
}

/** A limit for a file: the amount, or `unlimited`. */
export function limitText(limit: Limit): string {
  return limit === null ? 'unlimited' : usdText(limit)
}

/** An amount for a person: `$3.00`, and `$0.0123` where the cents would hide a part of it. */
export function formatUsd(usd: Usd): string {
  return `$${usd.toFixed(4).replace(/0{1,2}$/, '')}`
}

/** A limit for a person: `$3.00` or `unlimited`. */
export function formatLimit(limit: Limit): string {
  return limit === null ? 'unlimited' : formatUsd(limit)
}
