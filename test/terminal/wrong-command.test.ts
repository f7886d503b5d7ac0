import { describe, expect, it } from 'vitest'
import { type Commands, nearestCommand, wrongCommand } from '../../src/lib/terminal/wrong-command.js'

const PROGRAM: Commands = {
  bin: 'class-keys',
  commands: [
    { id: 'check', flags: { json: {}, db: {} } },
    { id: 'provision', flags: { yes: { char: 'y' } } },
    { id: 'refresh-limits-file' },
    { id: 'autocomplete:script', hidden: true },
    { id: 'ledger:backup' },
  ],
}

describe('nearestCommand', () => {
  it.each([
    ['chek', 'check'],
    ['Check', 'check'],
    ['provisoin', 'provision'],
    ['refresh', 'refresh-limits-file'],
    ['ledger backpu', 'ledger backup'],
  ])('%s: %s', (typed, near) => expect(nearestCommand(typed.split(' '), PROGRAM.commands)).toBe(near))

  it.each(['zzzzqq', 'x', 'ch', 'list', 'delete', 'autocomplete script'])('%s: nothing is near', (typed) =>
    expect(nearestCommand(typed.split(' '), PROGRAM.commands)).toBeUndefined(),
  )
})

describe('wrongCommand', () => {
  it.each([
    [
      ['chek'],
      'chek is not a command of class-keys. Did you mean check? Run class-keys help for all of them.',
    ],
    [['zzzzqq', 'x'], 'zzzzqq x is not a command of class-keys. Run class-keys help for the commands.'],
    [['check', 'x'], 'class-keys check takes no argument x. Add --help to see what there is.'],
    [['-x'], '-x is not an option of class-keys. Run class-keys help for what there is.'],
    ...['--json', '--db=x.db', '-y'].map((option) => [
      [option, 'check'],
      `The command comes first, then its options: class-keys COMMAND ${option}. Run class-keys help for the commands.`,
    ]),
  ] as [string[], string][])('%j', (words, message) => expect(wrongCommand(words, PROGRAM)).toBe(message))
})
