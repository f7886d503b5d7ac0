import { expect, it } from 'vitest'
import { BadFileError, ClassKeysError, UsageError } from '../../src/lib/core/errors.js'

it('carries a code, a message, an exit code and a cause', () => {
  const cause = new Error('EIO')
  const error = new ClassKeysError('ledger_locked', 'The ledger is locked.', 4, { cause })
  expect(error).toMatchObject({ name: 'ClassKeysError', code: 'ledger_locked', exitCode: 4, cause })
  expect(error.message).toBe('The ledger is locked.')
  expect(new ClassKeysError('x', 'y').exitCode).toBe(1)
})

it('exits with 2 where the call is wrong', () => {
  const error = new UsageError('no_key', 'There is no key.')
  expect(error).toMatchObject({ name: 'UsageError', code: 'no_key', exitCode: 2 })
  expect(error).toBeInstanceOf(ClassKeysError)
})

it.each([
  [1, 'roster.csv has one problem. Nothing was sent.'],
  [3, 'roster.csv has 3 problems. Nothing was sent.'],
])('counts %i problems of a file', (count, message) => {
  const problems = Array.from({ length: count }, (_, i) => ({ line: i + 2, message: 'is empty' }))
  const error = new BadFileError('roster.csv', problems, 'Nothing was sent.')
  expect(error).toMatchObject({
    name: 'BadFileError',
    code: 'bad_file',
    exitCode: 2,
    file: 'roster.csv',
    problems,
  })
  expect(error.message).toBe(message)
})
