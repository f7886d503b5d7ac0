import type { PlannedChange } from '../../core/changes.js'
import { sentence } from '../../core/history.js'
import { formatLimit, resetText } from '../../core/money.js'
import { isUnfinished, type OutcomeKind, type StudentOutcome } from '../../core/outcome.js'
import type { Drift, HistoryLine } from '../../core/results.js'
import { graveWords, massiveWords, type Safety } from '../../core/safety.js'
import type { SecondKey } from '../../core/second-keys.js'
import { localTime } from '../../core/times.js'
import { count } from '../../core/words.js'

/** How a plan ends that is only shown. */
export const DRY_RUN = 'This was a dry run: nothing was sent, and nothing was written.'

/** The beginning of a key's hash: two keys may have one name, and limits.csv tells them apart by this. */
export function hashStart(hash: string): string {
  return `${hash.slice(0, 8)}…`
}

/** What a key is called, or the beginning of its hash where it has no name. */
export function keyWords({ keyName, hash }: { keyName: string | null; hash: string }): string {
  return keyName ?? `key ${hashStart(hash)}`
}

/** One line for each change that was made without this tool. */
export function driftLines(drift: readonly Drift[]): string[] {
  return drift.map(
    (change) =>
      `Changed without class-keys: ${keyWords(change)}: ${sentence(change).replace(', not by class-keys', '')}.`,
  )
}

const IN_COMMON = {
  address: 'the same address',
  mq_id: 'the same MQ ID apart from leading zeros',
  name: 'the same name',
}

/** What a person should know of a student who seems to have a key under another MQ ID. */
export function secondKeyLine({ name, mqId, keyName, because }: SecondKey): string {
  return `${name} seems to have a key already: ${keyName} is of somebody with ${IN_COMMON[because]} who is not on the roster. Was the MQ ID changed? If the old one is right, put it back into the roster. If the new one is, give that key a name that ends in _${mqId} in OpenRouter; it is theirs then.`
}

/** So many names fit on the screen; --json has them all. */
const MOST_NAMES = 10

/** Names in one line; where there are many, how many more. */
export function namesOf(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? [`${names.length - MOST_NAMES} more`] : []
  return [...names.slice(0, MOST_NAMES), ...more].join(', ')
}

/** One line for each key that an earlier run has made otherwise than was asked for. */
export function setRightLines(changes: readonly PlannedChange[]): string[] {
  return changes.flatMap((change) => {
    if (change.kind !== 'update') return []
    const { name, email, keyName, limit, limitReset } = change
    const terms = (of: 'from' | 'to') =>
      [limit && formatLimit(limit[of]), limitReset && `reset ${resetText(limitReset[of])}`]
        .filter(Boolean)
        .join(', ')
    return [
      `${name} (${email}): ${keyName} was made with ${terms('from')}, and will get ${terms('to')} as was asked for.`,
    ]
  })
}

/** One line for each lost key that a plan deletes. */
export function lostLines(changes: readonly PlannedChange[]): string[] {
  return changes.flatMap((change) =>
    change.kind === 'delete-lost'
      ? [
          `${change.name} (${change.email}): the lost key ${change.keyName} will be deleted; nobody has its secret.`,
        ]
      : [],
  )
}

/** What a person should know before a plan is applied; nothing of a routine one. */
export function safetyLines(safety: Safety): string[] {
  const grave = graveWords(safety)
  return [
    ...(grave === '' ? [] : [`This plan ${grave}: it needs a yes, or --yes.`]),
    ...(safety.grade === 'massive' ? [`This plan ${massiveWords(safety)}: it needs --force.`] : []),
  ]
}

/** A moment in local time, to the minute: `2026-11-30 23:59`. */
export function localMinute(at: string): string {
  return localTime(new Date(at)).slice(0, 16)
}

/** When a change was written down, in a form of local time; in the same width what the ledger has, where that is none. */
export function timeOf({ at, unreadableAt }: HistoryLine, local: (at: string) => string): string {
  return at === null ? (unreadableAt || 'no time').padEnd(local('2026-11-30').length) : local(at)
}

/** How many did not get through, and who they are. */
export function outcomeLines({
  counts,
  students,
}: {
  counts: Partial<Record<OutcomeKind, number>>
  students: readonly StudentOutcome[]
}): string[] {
  return [
    ...(counts.failed ? [`Failed: ${counts.failed}`] : []),
    ...(counts['in doubt'] ? [`In doubt: ${counts['in doubt']}`] : []),
    ...(counts['not tried'] ? [`Not tried: ${counts['not tried']}`] : []),
    ...troubles(students),
  ]
}

/** The students that something is left to do for, with the reason; those that were not tried are only counted. */
export function troubles(students: readonly StudentOutcome[]): string[] {
  return students
    .filter((student) => isUnfinished(student) && (student.outcome !== 'not tried' || student.reason))
    .map(
      ({ name, email, outcome, reason }) => `  ${name} (${email}): ${outcome}${reason ? `: ${reason}` : ''}`,
    )
}

/** Where the secrets of new keys are, and how to handle them. */
export function apiKeysLines({
  recovered,
  files,
}: {
  recovered: number
  files: { apiKeys?: string }
}): string[] {
  const lines: string[] = []
  if (recovered > 0) {
    lines.push(
      `${count(recovered, 'key')} of an earlier, unfinished run had never been written to a file; the file below has them too.`,
    )
  }
  if (files.apiKeys) {
    lines.push(
      '',
      `API keys: ${files.apiKeys}`,
      'It holds the secrets: hand each student their own, then delete the file. class-keys export-keys can write it again.',
    )
  }
  return lines
}

/** Where limits.csv and the snapshot are. */
export function fileLines({ limits, snapshot }: { limits?: string; snapshot?: string }): string[] {
  return [...(limits ? [`Limits: ${limits}`] : []), ...(snapshot ? [`Snapshot: ${snapshot}`] : [])]
}
