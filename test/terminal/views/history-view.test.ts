import { describe, expect, it, vi } from 'vitest'
import type { HistoryLine } from '../../../src/lib/core/results.js'
import { historyView } from '../../../src/lib/terminal/views/history-view.js'

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

describe('historyView', () => {
  const nobody = { email: undefined, name: undefined, mqId: undefined }
  it('gives a sentence a change, in local time', () => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    const nameless = { ...nobody, keyName: null, hash: '0123456789abcdef' }
    const entries = [line(), line(nobody), line(nameless), line({ ...nameless, hash: null })]
    expect(historyView(entries)).toEqual([
      '2026-02-20 10:30:15  Ada Quill (ada@example.edu): a key was made with a limit of $3.00',
      '2026-02-20 10:30:15  20260219_Ada Quill_1: a key was made with a limit of $3.00',
      '2026-02-20 10:30:15  key 01234567…: a key was made with a limit of $3.00',
      '2026-02-20 10:30:15  a key that is not in the ledger: a key was made with a limit of $3.00',
    ])
  })

  it('says that nothing fits', () => expect(historyView([])).toEqual(['No changes match.']))
})
