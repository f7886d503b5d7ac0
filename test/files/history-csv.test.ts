import { expect, it } from 'vitest'
import { historyCsv } from '../../src/lib/files/history-csv.js'

it('writes a line a change, empty where nothing is known', () => {
  const change = { at: '2026-02-19T10:00:00.000Z', sentence: 'not part of it' }
  const ada = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '007' }
  expect(
    historyCsv([
      {
        ...change,
        ...ada,
        action: 'update_limit',
        oldValue: '3.00',
        newValue: '5.00',
        keyName: '=x',
        hash: 'h',
      },
      { ...change, action: 'provisioned', oldValue: null, newValue: null, keyName: null, hash: null },
    ]),
  ).toBe(
    'changed_at,email,name,mq_id,action,old_value,new_value,key_name,hash\n' +
      `2026-02-19T10:00:00.000Z,ada@example.edu,Ada Quill,007,update_limit,3.00,5.00,"'=x",h\n` +
      '2026-02-19T10:00:00.000Z,,,,provisioned,,,,\n',
  )
})
