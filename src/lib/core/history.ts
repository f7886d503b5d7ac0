import { parseDisabled } from './limits.js'
import { formatLimit, parseLimit } from './money.js'
import type { HistoryLine } from './results.js'
import { emailKey, type StudentRef } from './student.js'

/** One row of the changelog, with the key and the student it is about. */
export interface HistoryEntry {
  id: number
  /** When it was written down, as a moment; null where what the ledger has is none. */
  at: Date | null
  /** The same as the ledger has it; empty where it has nothing. */
  atText: string
  /** `provisioned`, `update_limit`, …; `observed_…` for what happened without this tool. */
  action: string
  oldValue: string | null
  newValue: string | null
  /** Null where the row is about no key that the ledger knows. */
  hash: string | null
  keyName: string | null
  student: StudentRef | null
}

/** Which entries of the changelog are wanted. */
export interface HistoryFilter {
  /** An address, an MQ ID, or a part of a name; case aside. */
  student?: string | undefined
  /** Nothing before this moment, and nothing of which it is not known. */
  since?: Date | undefined
  action?: string | undefined
}

/** Whether a student is the one that a person means by an address, an MQ ID, or a part of a name. */
export function isMeant(student: StudentRef, words: string): boolean {
  const wanted = emailKey(words.trim())
  if (wanted === '') return false
  return (
    emailKey(student.email) === wanted ||
    student.mqId.toLowerCase() === wanted ||
    student.name.toLowerCase().includes(wanted)
  )
}

/** The entries that a filter lets through, the newest first. */
export function filterHistory(entries: readonly HistoryEntry[], filter: HistoryFilter): HistoryEntry[] {
  const { student, since, action } = filter
  return entries
    .filter((entry) => student === undefined || (entry.student !== null && isMeant(entry.student, student)))
    .filter((entry) => since === undefined || (entry.at !== null && entry.at >= since))
    .filter((entry) => action === undefined || entry.action === action)
    .sort((a, b) => b.id - a.id)
}

/** An entry as results tell it. */
export function historyLine(entry: HistoryEntry): HistoryLine {
  const { at, atText, action, oldValue, newValue, keyName, hash, student } = entry
  return {
    at: at?.toISOString() ?? null,
    ...(at === null && { unreadableAt: atText }),
    action,
    oldValue,
    newValue,
    keyName,
    hash,
    ...student,
    sentence: sentence(entry),
  }
}

/** What an entry says, as the second half of a sentence: `the limit was raised from $3.00 to $5.00`. */
export function sentence({
  action,
  oldValue,
  newValue,
}: Pick<HistoryEntry, 'action' | 'oldValue' | 'newValue'>): string {
  const from = amount(oldValue)
  const to = amount(newValue)
  switch (action) {
    case 'provisioned':
      return `a key was made with a limit of ${to}`
    case 'update_limit':
      return `the limit was changed from ${from} to ${to}`
    case 'observed_limit':
      return `the limit was changed from ${from} to ${to}, not by class-keys`
    case 'update_disabled':
      return `the key was ${parseDisabled(newValue ?? '') ? 'disabled' : 'enabled'}`
    case 'observed_disabled':
      return `the key was ${parseDisabled(newValue ?? '') ? 'disabled' : 'enabled'}, not by class-keys`
    case 'update_limit_reset':
      return `the reset period was changed from ${oldValue ?? 'none'} to ${newValue ?? 'none'}`
    case 'observed_limit_reset':
      return `the reset period was changed from ${oldValue ?? 'none'} to ${newValue ?? 'none'}, not by class-keys`
    case 'observed_name':
      return oldValue === null
        ? `the key was named ${newValue}, not by class-keys`
        : `the key was renamed from ${oldValue} to ${newValue}, not by class-keys`
    case 'observed_gone':
      return 'the key was removed from OpenRouter, not by class-keys'
    case 'assign_guardrail':
      return `the guardrail ${newValue} was assigned`
    case 'replaced':
      return 'a newer key was made in its place'
    case 'deleted':
      return 'the key was deleted'
    case 'deleted_lost':
      return 'a key whose secret had been lost was deleted'
    case 'revealed':
      return 'the secret was shown on a screen'
    default:
      return `${action}: ${oldValue ?? 'nothing'} → ${newValue ?? 'nothing'}`
  }
}

/** An amount as a person reads it; what is none, in a row of another tool, comes back as it is. */
function amount(value: string | null): string {
  const limit = value === null ? undefined : parseLimit(value)
  return limit === undefined ? (value ?? 'nothing') : formatLimit(limit)
}

/**
 * A moment as the ledger keeps it. The Python tool wrote moments without a zone: with a `T` they are local
 * time, as its `datetime.now()` gives; with a space they are UTC, as SQLite gives.
 * @returns undefined for anything else that other hands have put there
 */
export function parseLedgerTime(text: string): Date | undefined {
  if (!/^\d{4}-\d\d-\d\d(?!\d)/.test(text)) return undefined
  const at = new Date(
    /^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? `${text.replace(' ', 'T')}Z` : text,
  )
  return Number.isNaN(at.getTime()) ? undefined : at
}

/**
 * Reads how far back to look: `7d`, `24h`, `2026-11-01` (the day's start, local time), or a full moment.
 * @returns undefined for anything else
 */
export function parseSince(text: string, now: Date): Date | undefined {
  const span = /^(\d{1,5})([dh])$/.exec(text.trim())
  if (span) return new Date(now.getTime() - Number(span[1]) * (span[2] === 'd' ? 24 : 1) * 3_600_000)
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text.trim()))
    return undefined
  const day = text.trim()
  if (Number.isNaN(Date.parse(day))) return undefined
  const at = new Date(day.length === 10 ? `${day}T00:00:00` : day.replace(' ', 'T'))
  // 31 February would be taken for a day in March.
  const isDay = new Date(`${day.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(day.slice(0, 10))
  return isDay && !Number.isNaN(at.getTime()) ? at : undefined
}
