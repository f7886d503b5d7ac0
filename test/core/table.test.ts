import { expect, it } from 'vitest'
import { cell, columnKey, missingColumns } from '../../src/lib/core/table.js'

it.each([
  ['mq_id', 'mq_id'],
  ['MQ ID', 'mq_id'],
  [' Mq-Id ', 'mq_id'],
  ['MQ   ID', 'mq_id'],
  ['mq\u00a0id', 'mq_id'],
  ['mq - id', 'mq_id'],
  ['Email', 'email'],
  ['', ''],
])('the column %j is %j', (header, key) => expect(columnKey(header)).toBe(key))

it('takes a missing cell for an empty one', () => {
  const row = { line: 2, cells: new Map([['email', 'ada@example.edu']]) }
  expect([cell(row, 'email'), cell(row, 'budget')]).toEqual(['ada@example.edu', ''])
})

it('names every missing column', () => {
  const titles = new Map([['b', 'B']])
  const table = { columns: ['b'], titles, rows: [], problems: [] }
  expect(missingColumns(table, ['a', 'b', 'c'])).toEqual([
    { line: 1, column: 'a', message: 'this column is missing' },
    { line: 1, column: 'c', message: 'this column is missing; the file has B: rename what is meant' },
  ])
})
