import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { BadFileError, ClassKeysError, UsageError } from '../../src/lib/core/errors.js'
import { OpenRouterError } from '../../src/lib/openrouter/errors.js'
import { errorLines, errorResult, exitCodeOf, problemText } from '../../src/lib/terminal/error-view.js'

const PROBLEMS = [
  { line: 3, column: 'budget', value: 'lots', message: 'is not an amount of dollars, such as 5 or 2.50' },
  { line: 4, column: 'email', message: 'is empty' },
]
const BAD_FILE = new BadFileError('roster.csv', PROBLEMS, 'Nothing was sent.')
/** What oclif throws for wrong flags. */
const wrongFlags = (message: string) => Object.assign(new Error(message), { oclif: { exit: 2 } })

describe('problemText', () => {
  it.each([
    [PROBLEMS[0], 'line 3, budget, "lots": is not an amount of dollars, such as 5 or 2.50'],
    [PROBLEMS[1], 'line 4, email: is empty'],
    [{ message: 'the file is empty' }, 'the file is empty'],
    [
      { line: 1, column: 'mq_id', message: 'this column is missing' },
      'line 1, mq_id: this column is missing',
    ],
    [{ line: 2, value: 'a\n"b"\u001b', message: 'no' }, 'line 2, "a\\n\\"b\\"\\u001b": no'],
    [{ column: 'email', value: '', message: 'no' }, 'email, "": no'],
  ])('%j', (problem, text) => expect(problemText(problem ?? { message: '' })).toBe(text))
})

describe('errorLines', () => {
  it.each([
    ['ours', new ClassKeysError('x', 'The disk is full.'), ['Error: The disk is full.']],
    [
      'a file with problems',
      BAD_FILE,
      [
        'Error: roster.csv has 2 problems. Nothing was sent.',
        '  line 3, budget, "lots": is not an amount of dollars, such as 5 or 2.50',
        '  line 4, email: is empty',
      ],
    ],
    [
      'wrong flags',
      wrongFlags('Nonexistent flag: --frob\nSee more help with --help'),
      ['Error: Nonexistent flag: --frob. Add --help to see what there is.'],
    ],
    [
      'several wrong flags',
      wrongFlags(
        'The following errors occurred:\n  --a is wrong\n  --b is wrong.\nSee more help with --help',
      ),
      ['Error: --a is wrong: --b is wrong. Add --help to see what there is.'],
    ],
  ])('%s', (_, error, lines) => expect(errorLines(error)).toEqual(lines))

  it.each([new TypeError('x is not a function'), 'x is not a function'])(
    'a fault of ours says so: %s',
    (error) => {
      expect(errorLines(error).join('\n')).toBe(
        'Error: x is not a function\nThis is a fault in class-keys. Run the same command with DEBUG=1 to see where it happened.',
      )
    },
  )
})

describe('errorResult', () => {
  it.each([
    [
      'ours',
      new ClassKeysError('disk_full', 'Full.', 4),
      { code: 'disk_full', message: 'Full.', exitCode: 4 },
    ],
    [
      'a wrong call',
      new UsageError('no_key', 'No key.'),
      { code: 'no_key', message: 'No key.', exitCode: 2 },
    ],
    [
      'OpenRouter’s',
      new OpenRouterError('forbidden', 'No.', 403),
      { code: 'forbidden', message: 'No.', exitCode: 1, status: 403 },
    ],
    [
      'no answer',
      new OpenRouterError('no_answer', 'No.'),
      { code: 'no_answer', message: 'No.', exitCode: 1 },
    ],
    [
      'a file with problems',
      BAD_FILE,
      {
        code: 'bad_file',
        message: 'roster.csv has 2 problems. Nothing was sent.',
        exitCode: 2,
        file: 'roster.csv',
        problems: PROBLEMS,
      },
    ],
    [
      'wrong flags',
      wrongFlags('Missing 1 required arg'),
      { code: 'usage', message: 'Missing 1 required arg. Add --help to see what there is.', exitCode: 2 },
    ],
  ])('%s', (_, error, shown) => expect(errorResult(error)).toStrictEqual({ error: shown }))

  it('shows named fields only: an error may carry more than anybody should see', () => {
    const error = Object.assign(new ClassKeysError('x', 'No.', 1, { cause: new Error('sk-or-v1-made-up') }), {
      request: { headers: { authorization: 'Bearer sk-or-v1-made-up' } },
    })
    expect(inspect(errorResult(error), { depth: 10 })).not.toContain('sk-or-')
    const strange = Object.assign(new Error('boom'), { secret: 'sk-or-v1-made-up' })
    expect(inspect(errorResult(strange), { depth: 10 })).not.toContain('sk-or-')
    expect(errorResult(strange).error.code).toBe('unexpected')
  })
})

it.each([
  [new ClassKeysError('x', 'y', 143), 143],
  [BAD_FILE, 2],
  [wrongFlags('x'), 2],
  [Object.assign(new Error('x'), { oclif: { exit: 1 } }), 1],
  [Object.assign(new Error('x'), { oclif: undefined }), 1],
  [new Error('x'), 1],
  ['x', 1],
  [undefined, 1],
])('%s exits with %i', (error, code) => expect(exitCodeOf(error)).toBe(code))
