import { describe, expect, it, vi } from 'vitest'
import type { HistoryLine, ShownKey } from '../../../src/lib/core/results.js'
import { showView } from '../../../src/lib/terminal/views/show-view.js'

const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1' }

const line = (over: Partial<HistoryLine> = {}): HistoryLine => ({
  ...ADA,
  at: '2026-02-19T23:30:15.000Z',
  action: 'provisioned',
  oldValue: null,
  newValue: '3.00',
  keyName: '20260219_Ada Quill_1',
  hash: 'h',
  sentence: 'a key was made with a limit of $3.00',
  ...over,
})

describe('showView', () => {
  const KEY: ShownKey = {
    keyName: '20260219_Ada Quill_1',
    hash: 'h',
    exists: true,
    disabled: false,
    limit: 3,
    limitRemaining: 1.75,
    limitReset: 'weekly',
    refillsAt: '2026-02-23T00:00:00.000Z',
    expiresAt: '2026-11-30T12:59:59Z',
    expired: false,
    usage: 9.25,
    secretHere: true,
    usageOverTime: [],
  }

  it('shows one student on one screen, in local time', () => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    const usageOverTime = [
      { at: '2026-02-20T00:00:00Z', usage: 0 },
      { at: '2026-02-21T00:00:00Z', usage: 9.25 },
    ]
    expect(showView({ student: ADA, keys: [{ ...KEY, usageOverTime }], history: [line()] })).toEqual([
      'Ada Quill  ada@example.edu  MQ ID 1',
      '',
      '20260219_Ada Quill_1',
      '  limit   $3.00 weekly',
      '  left    $1.75, refills 2026-02-23 11:00',
      '  spent   $9.25 in all',
      '  expires 2026-11-30 23:59',
      '  secret  in this ledger; --reveal shows it',
      '  usage   ▁█',
      '          2 checks: $0.00 on 2026-02-20 11:00 to $9.25 on 2026-02-21 11:00',
      '',
      'History',
      '  2026-02-20 10:30  a key was made with a limit of $3.00',
    ])
  })

  it('shows a key without limit that was made elsewhere, and one that is gone', () => {
    const plain = {
      ...KEY,
      limit: null,
      limitRemaining: null,
      limitReset: null,
      refillsAt: null,
      expiresAt: null,
      secretHere: false,
      disabled: true,
      usage: 0,
    }
    const lines = showView({
      student: ADA,
      keys: [plain, { ...plain, exists: false, keyName: 'old' }],
      history: [],
    })
    expect(lines.slice(2)).toEqual([
      '20260219_Ada Quill_1  disabled',
      '  limit   unlimited',
      '  left    unlimited',
      '  spent   $0.00 in all',
      '  secret  not in this ledger, since the key was made elsewhere',
      '',
      'old',
      '  is gone from OpenRouter',
      '',
      'No history yet.',
    ])
  })

  it('says of an expired key that nothing can be spent, whatever is left of its limit', () => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    const [, , , limit, left, spent, expires] = showView({
      student: ADA,
      keys: [{ ...KEY, expired: true }],
      history: [],
    })
    expect([limit, left, spent, expires]).toEqual([
      '  limit   $3.00 weekly',
      '  left    nothing can be spent any more: the key has expired',
      '  spent   $9.25 in all',
      '  expired 2026-11-30 23:59',
    ])
  })

  it('calls a key without a name by the beginning of its hash', () => {
    const nameless = { ...KEY, keyName: null, hash: '0123456789abcdef', exists: false }
    expect(showView({ student: ADA, keys: [nameless], history: [] })[2]).toBe('key 01234567…')
  })

  it('says what to do for a student without a key, and where the rest of a long history is', () => {
    const history = Array.from({ length: 13 }, (_, i) => line({ sentence: `change ${i}` }))
    const lines = showView({ student: ADA, keys: [], history })
    expect(lines[2]).toBe('No key. class-keys provision makes one for everybody on the roster who has none.')
    expect(lines.at(-2)).toMatch('change 9')
    expect(lines.at(-1)).toBe('  … 3 earlier changes: class-keys history 1')
  })
})
