import { describe, expect, it } from 'vitest'
import type { UpdateKey } from '../../../src/lib/core/changes.js'
import type { UpdatePlan } from '../../../src/lib/core/update-plan.js'
import { refreshView, updatePlanView, updateView } from '../../../src/lib/terminal/views/update-view.js'

const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1' }
const BO = { email: 'bo@example.edu', name: 'Bo Reed', mqId: '2' }
const CHANGES: UpdateKey[] = [
  { kind: 'update', ...ADA, keyName: 'a', hash: 'ha', limit: { from: 3, to: null }, refills: null },
  {
    kind: 'update',
    ...BO,
    keyName: 'b',
    hash: 'hb',
    limit: { from: 0, to: 2.5 },
    disabled: { from: false, to: true },
    refills: null,
  },
]
const HEADER = 'ADDRESS          NAME       LIMIT              DISABLED'
const ADA_LINE = 'ada@example.edu  Ada Quill  $3.00 → unlimited'
const BO_LINE = 'bo@example.edu   Bo Reed    $0.00 → $2.50      false → true'
const UNMATCHED = [
  { line: 4, email: 'cy@example.edu', name: 'Cy', hash: '', why: 'no key of this address' },
  { line: 5, email: '', name: '', hash: 'hx', why: 'no such key' },
  { line: 6, email: 'di@example.edu', name: '', hash: '', why: 'were the columns sorted apart?' },
]
const WARNINGS = [
  'Warning: line 4 (cy@example.edu): no key of this address. Nothing is done for it.',
  'Warning: line 5 (hx): no such key. Nothing is done for it.',
  'Warning: line 6 (di@example.edu): were the columns sorted apart? Nothing is done for it.',
]
const RETRIES = { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 }
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
const plan = (over: Partial<UpdatePlan> = {}): UpdatePlan => ({
  version: 1,
  command: 'update',
  changes: [],
  unchanged: 0,
  unmatched: [],
  safety: ROUTINE,
  ...over,
})

describe('updatePlanView', () => {
  const DRY = 'This was a dry run: nothing was sent, and nothing was written.'

  it('shows each change, old and new', () => {
    expect(
      updatePlanView(plan({ changes: CHANGES, unchanged: 7, unmatched: UNMATCHED }), undefined, {
        dryRun: true,
      }),
    ).toEqual([
      HEADER,
      ADA_LINE,
      BO_LINE,
      '',
      ...WARNINGS,
      'Plan: 2 keys to change; 7 already as asked for.',
      DRY,
    ])
  })

  it('has a column for reset periods only where one changes', () => {
    const changes: UpdateKey[] = [
      {
        kind: 'update',
        ...ADA,
        keyName: 'a',
        hash: 'ha',
        limitReset: { from: 'daily', to: null },
        refills: null,
      },
      {
        kind: 'update',
        ...BO,
        keyName: 'b',
        hash: 'hb',
        disabled: { from: false, to: true },
        refills: 'weekly',
      },
    ]
    expect(updatePlanView(plan({ changes }), undefined, { dryRun: true }).slice(0, 4)).toEqual([
      'ADDRESS          NAME       LIMIT  RESET         DISABLED',
      'ada@example.edu  Ada Quill         daily → none',
      'bo@example.edu   Bo Reed                         false → true',
      '',
    ])
  })

  it('says with a limit that refills how often', () => {
    const raised = { kind: 'update', ...ADA, keyName: 'a', hash: 'ha', limit: { from: 3, to: 5 } } as const
    const lines = (['daily', 'weekly', 'monthly', null] as const).map(
      (refills) =>
        updatePlanView(plan({ changes: [{ ...raised, refills }] }), undefined, { dryRun: true })[1],
    )
    expect(lines).toEqual([
      'ada@example.edu  Ada Quill  $3.00 → $5.00 daily',
      'ada@example.edu  Ada Quill  $3.00 → $5.00 weekly',
      'ada@example.edu  Ada Quill  $3.00 → $5.00 monthly',
      'ada@example.edu  Ada Quill  $3.00 → $5.00',
    ])
  })

  it('shows no table of nothing', () => {
    expect(updatePlanView(plan({ unchanged: 1 }), 80, { dryRun: true })).toEqual([
      'Plan: 0 keys to change; 1 already as asked for.',
      DRY,
    ])
  })
})

describe('updateView', () => {
  it('shows the changes that were made, and why others were not', () => {
    const lines = updateView({
      plan: plan({ changes: CHANGES, unchanged: 7, unmatched: UNMATCHED }),
      students: [
        { ...ADA, hash: 'ha', outcome: 'updated' },
        { ...BO, hash: 'hb', outcome: 'failed', reason: 'no' },
      ],
      counts: { updated: 1, failed: 1, 'in doubt': 2, 'not tried': 3 },
      drift: [],
      files: { limits: 'limits.csv', snapshot: 'snapshot.csv' },
      retries: RETRIES,
    })
    expect(lines).toEqual([
      'Updated: 1',
      'Already as asked for: 7',
      'Failed: 1',
      'In doubt: 2',
      'Not tried: 3',
      '  Bo Reed (bo@example.edu): failed: no',
      'Limits: limits.csv',
      'Snapshot: snapshot.csv',
    ])
  })

  it('says little where there was nothing to do', () => {
    const lines = updateView({
      plan: plan({ unchanged: 7 }),
      students: [],
      counts: {},
      drift: [],
      files: {},
      retries: RETRIES,
    })
    expect(lines).toEqual(['Updated: 0', 'Already as asked for: 7'])
  })
})

describe('refreshView', () => {
  const files = { limits: 'limits.csv' }

  it('says that nothing is to do', () => {
    expect(refreshView({ plan: plan(), rows: 1, drift: [], files, retries: RETRIES }, 80)).toEqual([
      'Limits: limits.csv (1 key)',
      'OpenRouter agrees with the file.',
    ])
  })

  it('shows where file and OpenRouter differ, and what brings them together', () => {
    const lines = refreshView(
      { plan: plan({ changes: CHANGES, unmatched: UNMATCHED }), rows: 9, drift: [], files, retries: RETRIES },
      80,
    )
    expect(lines).toEqual([
      'Limits: limits.csv (9 keys)',
      ...WARNINGS,
      '',
      '2 keys are not as the file asks:',
      HEADER,
      ADA_LINE,
      BO_LINE,
      '',
      'class-keys update makes OpenRouter agree; class-keys update --dry-run shows how.',
    ])
  })
})
