import { formatLimit, formatUsd } from '../../core/money.js'
import type { CheckResult } from '../../core/results.js'
import { isPlaceholder, type StudentRef } from '../../core/student.js'
import { count } from '../../core/words.js'
import { type Column, keyNameColumn, tableLines } from '../table.js'
import { driftLines, hashStart, localMinute, namesOf, secondKeyLine } from './plan-lines.js'

const MATCHED: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  { title: 'NAME', flexible: true },
  { title: 'MQ ID' },
  keyNameColumn(),
  { title: 'USAGE', align: 'right' },
  { title: 'LIMIT', align: 'right' },
  { title: 'RESET' },
  { title: 'STATUS' },
]

const ORPHANED: readonly Column[] = [
  keyNameColumn(),
  { title: 'USAGE', align: 'right' },
  { title: 'LIMIT', align: 'right' },
  { title: 'KIND' },
]

const KINDS = { left: 'left the class', unknown: 'unknown', foreign: 'foreign' } as const

/** What `check` shows a person; see tableLines for `width`. */
export function checkView(result: CheckResult, width: number | undefined): string[] {
  const { counts } = result
  const lines = [
    `Keys in OpenRouter: ${counts.keys}`,
    `Matched: ${counts.matched}`,
    `Orphaned: ${counts.orphaned}${orphanKinds(counts)}`,
    `Students without a key: ${counts.keyless}`,
  ]
  if (result.roster === null) lines.push('There is no roster, so every key is orphaned.')
  if (result.orphaned.length > 0) {
    const rows = result.orphaned.map((key) => [
      key.keyName,
      formatUsd(key.usage),
      formatLimit(key.limit),
      key.disabled ? `${KINDS[key.kind]}, disabled` : KINDS[key.kind],
    ])
    lines.push(
      '',
      'Orphaned keys, which belong to no student on the roster:',
      ...tableLines(ORPHANED, rows, width),
    )
  }
  if (result.matched.length > 0) {
    const rows = result.matched.map((key) => [
      key.email,
      key.name,
      key.mqId,
      key.keyName,
      formatUsd(key.usage),
      formatLimit(key.limit),
      key.limitReset ?? '',
      key.status,
    ])
    lines.push('', 'Keys of the class:', ...tableLines(MATCHED, rows, width))
  }
  return [...lines, ...remarks(result), '', `Snapshot: ${result.files.snapshot}`]
}

function orphanKinds({ orphaned, left, unknown, foreign }: CheckResult['counts']): string {
  if (orphaned === 0) return ''
  return ` (${left} of students who left, ${unknown} named like ours but unknown, ${foreign} foreign)`
}

function keylessLines({ keyless, secondKeys, roster }: CheckResult): string[] {
  if (roster === null) return []
  const placeholders = keyless.filter(({ email }) => isPlaceholder(email))
  const real = keyless.filter(({ email }) => !isPlaceholder(email))
  return [
    ...namesLine('Without a key', real, 'class-keys provision makes keys for them.'),
    ...namesLine('Without an address', placeholders, `Find it out, and put it into ${roster}.`),
    ...secondKeys.map(secondKeyLine),
  ]
}

function namesLine(what: string, students: readonly StudentRef[], advice: string): string[] {
  if (students.length === 0) return []
  return [`${what}: ${namesOf(students.map(({ name, email }) => `${name} (${email})`))}. ${advice}`]
}

function remarks(result: CheckResult): string[] {
  const lines: string[] = []
  const { secretless, expired } = result.counts
  if (secretless > 0) {
    lines.push(
      secretless === 1
        ? '1 key of the class has no secret in this ledger: it was made elsewhere.'
        : `${secretless} keys of the class have no secret in this ledger: they were made elsewhere.`,
    )
  }
  if (expired > 0) lines.push(`${count(expired, 'key of the class has', 'keys of the class have')} expired.`)
  lines.push(...driftLines(result.drift), ...keylessLines(result))
  for (const { name, email } of result.pastMark) lines.push(`${name} (${email}) is past the --warn-at mark.`)
  for (const { name, email, hashes } of result.duplicates) {
    lines.push(
      `${name} (${email}) has ${count(hashes.length, 'enabled key')} (hashes ${hashes.map(hashStart).join(', ')}). Disable all but one through limits.csv.`,
    )
  }
  for (const { name, email, keyName, hash, until } of result.replaced) {
    lines.push(
      `${name} (${email}) has a newer key; ${keyName} (hash ${hashStart(hash)}) stays in use until ${localMinute(until)}. After that, class-keys rotate --due retires it.`,
    )
  }
  for (const { name, email } of result.inDoubt) {
    lines.push(`${name} (${email}): a creation is in doubt. class-keys provision settles it.`)
  }
  return lines.length === 0 ? [] : ['', ...lines]
}
