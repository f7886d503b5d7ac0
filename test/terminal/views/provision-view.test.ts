import { describe, expect, it } from 'vitest'
import type { ProvisionPlan } from '../../../src/lib/core/provision-plan.js'
import type { ProvisionResult } from '../../../src/lib/core/results.js'
import {
  provisionPlanView,
  provisionView,
  spendingText,
} from '../../../src/lib/terminal/views/provision-view.js'

const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1' }
const BO = { email: 'bo@example.edu', name: 'Bo Reed', mqId: '2' }
const DRY = 'This was a dry run: nothing was sent, and nothing was written.'
const LOST = {
  kind: 'delete-lost',
  ...ADA,
  keyName: '20260219_Ada Quill_1',
  hash: 'lost',
  creationId: 1,
} as const
const LEFT = {
  ...BO,
  keyName: '20260219_Bo Reed_2',
  hashes: ['0123456789abcdef', 'fedcba9876543210'],
  why: '2 keys fit',
}
const LEFT_LINE =
  'Bo Reed: left alone, since 2 keys fit. Look at 20260219_Bo Reed_2 in OpenRouter (0123456789ab, fedcba987654), delete what is not in use, then run provision again.'
const PLACEHOLDER = { ...BO, email: 'bo@FIXME.mq.edu.au' }
const PLACEHOLDER_LINE =
  'Bo Reed: bo@FIXME.mq.edu.au is a placeholder, so no key is made. Fill in the address, then run provision again.'

const ROUTINE = {
  grade: 'routine',
  unlimited: 0,
  enabled: 0,
  deleted: 0,
  secondKeys: 0,
  hit: 0,
  total: 0,
  maxChange: 30,
} as const
const plan = (over: Partial<ProvisionPlan> = {}): ProvisionPlan => ({
  version: 1,
  command: 'provision',
  changes: [],
  keyHolders: [],
  renamed: [],
  secondKeys: [],
  guardrailLeftOut: null,
  leftAlone: [],
  absent: [],
  undone: [],
  placeholders: [],
  spending: [],
  balance: null,
  safety: ROUTINE,
  ...over,
})

describe('provisionPlanView', () => {
  it('shows each key that would be made, and what the class could spend', () => {
    const create = {
      kind: 'create',
      ...ADA,
      keyName: '20260219_Ada Quill_1',
      limit: 3,
      limitReset: null,
      expiresAt: null,
      guardrail: null,
      replaces: null,
    } as const
    const changes = [
      LOST,
      create,
      { ...create, ...BO, keyName: '20260219_Bo Reed_2', limit: null, limitReset: 'weekly' } as const,
    ]
    const keyHolders = [
      { ...ADA, hashes: ['h'], secretHere: true, disabled: false },
      { ...BO, hashes: ['i'], secretHere: false, disabled: true },
    ]
    const spending = [{ reset: null, limit: 3 }]
    expect(provisionPlanView(plan({ changes, keyHolders, spending }), undefined, { dryRun: true })).toEqual([
      'Ada Quill (ada@example.edu): the lost key 20260219_Ada Quill_1 will be deleted; nobody has its secret.',
      'ADDRESS          KEY NAME                  LIMIT  RESET',
      'ada@example.edu  20260219_Ada Quill_1      $3.00',
      'bo@example.edu   20260219_Bo Reed_2    unlimited  weekly',
      'Plan: 2 keys to make; 2 students already have one.',
      'Only a disabled key: Bo Reed. target_disabled in limits.csv enables it again.',
      '1 student has a key whose secret is not in this ledger; it was made elsewhere and is left alone.',
      'The class could then spend $3.00 once.',
      DRY,
    ])
  })

  it.each([
    ['address', 'the same address'],
    ['mq_id', 'the same MQ ID apart from leading zeros'],
    ['name', 'the same name'],
  ] as const)('asks about a second key, because of %s', (because, words) => {
    const secondKeys = [{ ...ADA, keyName: '20260219_Ada Quill_77', hash: 'h', because }]
    expect(provisionPlanView(plan({ secondKeys }), 80, { dryRun: true })).toContain(
      `Ada Quill seems to have a key already: 20260219_Ada Quill_77 is of somebody with ${words} who is not on the roster. Was the MQ ID changed? If the old one is right, put it back into the roster. If the new one is, give that key a name that ends in _1 in OpenRouter; it is theirs then.`,
    )
  })

  it('shows what is left alone', () => {
    const renamed = [{ ...ADA, keyName: 'for the demo', hash: 'h' }]
    const lines = provisionPlanView(plan({ placeholders: [PLACEHOLDER], leftAlone: [LEFT], renamed }), 80, {
      dryRun: true,
    })
    expect(lines.filter((line) => !line.includes('for the demo'))).toEqual([
      'Plan: 0 keys to make; 0 students already have one.',
      PLACEHOLDER_LINE,
      LEFT_LINE,
      'The class could then spend nothing.',
      DRY,
    ])
    expect(lines).toContain(
      'Ada Quill: their key is called “for the demo” in OpenRouter. The ledger knows that it is theirs; a name that ends in _1 would tell it without the ledger.',
    )
  })
})

it.each([
  [[], 'nothing'],
  [[{ reset: null, limit: 3 }], '$3.00 once'],
  [[{ reset: 'daily', limit: 1.5 }], '$1.50 a day'],
  [[{ reset: null, limit: null }], 'without limit'],
  [
    [
      { reset: 'weekly', limit: 1 },
      { reset: 'monthly', limit: 360 },
      { reset: null, limit: 40 },
    ] as const,
    '$1.00 a week, $360.00 a month and $40.00 once',
  ],
] as const)('%j is %s', (spending, text) => expect(spendingText([...spending])).toBe(text))

describe('provisionView', () => {
  const result = (over: Partial<ProvisionResult> = {}): ProvisionResult => ({
    plan: plan(),
    students: [],
    counts: {},
    keyHolders: [],
    renamed: [],
    leftAlone: [],
    deleted: [],
    placeholders: [],
    recovered: 0,
    drift: [],
    files: {},
    retries: { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 },
    ...over,
  })

  it('says little where there was little to do', () => {
    expect(provisionView(result())).toEqual(['Created: 0', 'Already had one: 0'])
  })

  it('says everything where much happened', () => {
    const lines = provisionView(
      result({
        students: [
          { ...ADA, outcome: 'created' },
          { ...BO, outcome: 'failed', reason: 'OpenRouter refused (400: no).' },
          { ...ADA, outcome: 'in doubt' },
          { ...BO, outcome: 'not tried' },
        ],
        counts: { created: 1, 'already had one': 2, healed: 3, failed: 4, 'in doubt': 5, 'not tried': 6 },
        keyHolders: [
          { ...ADA, hashes: ['h'], secretHere: false, disabled: false },
          { ...BO, hashes: ['i'], secretHere: false, disabled: true },
        ],
        leftAlone: [LEFT],
        deleted: [LOST],
        placeholders: [PLACEHOLDER],
        recovered: 1,
        files: { apiKeys: 'api_keys.csv', limits: 'limits.csv', snapshot: 'snapshot.csv' },
      }),
    )
    expect(lines).toEqual([
      'Created: 1',
      'Already had one: 2',
      'Lost keys deleted: 1',
      'Healed (a new key for a lost one): 3',
      'Failed: 4',
      'In doubt: 5',
      'Not tried: 6',
      '  Bo Reed (bo@example.edu): failed: OpenRouter refused (400: no).',
      '  Ada Quill (ada@example.edu): in doubt',
      PLACEHOLDER_LINE,
      LEFT_LINE,
      'Only a disabled key: Bo Reed. target_disabled in limits.csv enables it again.',
      '2 students have keys whose secrets are not in this ledger; they were made elsewhere and are left alone.',
      '1 key of an earlier, unfinished run had never been written to a file; the file below has them too.',
      '',
      'API keys: api_keys.csv',
      'It holds the secrets: hand each student their own, then delete the file. class-keys export-keys can write it again.',
      'Limits: limits.csv',
      'Snapshot: snapshot.csv',
    ])
  })
})
