import { expect, it } from 'vitest'
import type { CheckResult, MatchedKey } from '../../../src/lib/core/results.js'
import { checkView } from '../../../src/lib/terminal/views/check-view.js'

const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1' }
const KEY: MatchedKey = {
  ...ADA,
  keyName: '20260219_Ada Quill_1',
  hash: 'h',
  usage: 0.0123,
  limit: 3,
  limitRemaining: 2.9877,
  limitReset: 'weekly',
  disabled: false,
  expiresAt: null,
  expired: false,
  secretHere: true,
  status: 'OK',
}
const COUNTS = {
  keys: 2,
  matched: 1,
  orphaned: 1,
  left: 0,
  unknown: 0,
  foreign: 1,
  keyless: 0,
  secretless: 0,
  expired: 0,
}
const result = (over: Partial<CheckResult> = {}): CheckResult => ({
  roster: 'roster.csv',
  counts: COUNTS,
  matched: [KEY],
  orphaned: [{ kind: 'foreign', keyName: 'web', hash: 'o', usage: 12.5, limit: null, disabled: true }],
  keyless: [],
  secondKeys: [],
  duplicates: [],
  replaced: [],
  inDoubt: [],
  pastMark: [],
  drift: [],
  files: { snapshot: 'snapshot_20260219_100000.csv' },
  retries: { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 },
  ...over,
})

it('shows the counts, the orphans and the keys of the class', () => {
  expect(checkView(result(), undefined)).toEqual([
    'Keys in OpenRouter: 2',
    'Matched: 1',
    'Orphaned: 1 (0 of students who left, 0 named like ours but unknown, 1 foreign)',
    'Students without a key: 0',
    '',
    'Orphaned keys, which belong to no student on the roster:',
    'KEY NAME   USAGE      LIMIT  KIND',
    'web       $12.50  unlimited  foreign, disabled',
    '',
    'Keys of the class:',
    'ADDRESS          NAME       MQ ID  KEY NAME                USAGE  LIMIT  RESET   STATUS',
    'ada@example.edu  Ada Quill  1      20260219_Ada Quill_1  $0.0123  $3.00  weekly  OK',
    '',
    'Snapshot: snapshot_20260219_100000.csv',
  ])
})

it('shows no table of nothing', () => {
  const counts = { ...COUNTS, keys: 0, matched: 0, orphaned: 0, foreign: 0 }
  expect(checkView(result({ roster: null, counts, matched: [], orphaned: [] }), 80)).toEqual([
    'Keys in OpenRouter: 0',
    'Matched: 0',
    'Orphaned: 0',
    'Students without a key: 0',
    'There is no roster, so every key is orphaned.',
    '',
    'Snapshot: snapshot_20260219_100000.csv',
  ])
})

it('fits the terminal', () => {
  const wide = { ...KEY, email: `${'a'.repeat(90)}@example.edu`, status: 'FIX EMAIL, disabled' }
  for (const line of checkView(result({ matched: [wide] }), 100)) expect(line.length).toBeLessThanOrEqual(100)
})

it.each<[string, Partial<CheckResult>, string]>([
  [
    'two keys',
    { duplicates: [{ ...ADA, hashes: ['0123456789abcdef', 'fedcba9876543210'] }] },
    'Ada Quill (ada@example.edu) has 2 enabled keys (hashes 01234567…, fedcba98…). Disable all but one through limits.csv.',
  ],
  [
    'doubt',
    { inDoubt: [ADA] },
    'Ada Quill (ada@example.edu): a creation is in doubt. class-keys provision settles it.',
  ],
  ['a mark', { pastMark: [ADA] }, 'Ada Quill (ada@example.edu) is past the --warn-at mark.'],
  [
    'drift',
    { drift: [{ action: 'observed_limit', hash: 'h', keyName: 'k', oldValue: '3.00', newValue: '5.00' }] },
    'Changed without class-keys: k: the limit was changed from $3.00 to $5.00.',
  ],
  [
    'drift of a key without a name',
    {
      drift: [
        {
          action: 'observed_gone',
          hash: '0123456789abcdef',
          keyName: null,
          oldValue: null,
          newValue: null,
        },
      ],
    },
    'Changed without class-keys: key 01234567…: the key was removed from OpenRouter.',
  ],
  [
    'a key that is kept',
    {
      replaced: [
        { ...ADA, keyName: 'k', hash: '0123456789abcdef', until: new Date(2026, 10, 30, 9, 5).toISOString() },
      ],
    },
    'Ada Quill (ada@example.edu) has a newer key; k (hash 01234567…) stays in use until 2026-11-30 09:05. After that, class-keys rotate --due retires it.',
  ],
  [
    'no secrets',
    { counts: { ...COUNTS, secretless: 2 } },
    '2 keys of the class have no secret in this ledger: they were made elsewhere.',
  ],
  ['an end', { counts: { ...COUNTS, expired: 1 } }, '1 key of the class has expired.'],
])('points out %s', (_, over, remark) => {
  expect(checkView(result(over), undefined).slice(-4)).toEqual([
    '',
    remark,
    '',
    'Snapshot: snapshot_20260219_100000.csv',
  ])
})
