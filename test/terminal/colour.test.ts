import { describe, expect, it, vi } from 'vitest'
import { paint, takesColour } from '../../src/lib/terminal/colour.js'

const TERMINAL = { isTTY: true }
const PIPE = {}

describe('takesColour', () => {
  it.each<[string, { isTTY?: boolean }, NodeJS.ProcessEnv, boolean]>([
    ['a terminal', TERMINAL, {}, true],
    ['a pipe', PIPE, {}, false],
    ['a pipe that says so', { isTTY: false }, {}, false],
    ['a terminal that wants none', TERMINAL, { NO_COLOR: '1' }, false],
    ['NO_COLOR, whatever it says', TERMINAL, { NO_COLOR: '0' }, false],
    ['NO_COLOR without a word', TERMINAL, { NO_COLOR: '' }, true],
    ['a pipe that is to have it', PIPE, { FORCE_COLOR: '1' }, true],
    ['FORCE_COLOR without a word', PIPE, { FORCE_COLOR: '' }, true],
    ['a terminal that is to have none', TERMINAL, { FORCE_COLOR: '0' }, false],
    ['both', TERMINAL, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    ['a dumb terminal', TERMINAL, { TERM: 'dumb' }, false],
    ['a dumb terminal that is to have it', TERMINAL, { TERM: 'dumb', FORCE_COLOR: '1' }, true],
    ['a clever terminal', TERMINAL, { TERM: 'xterm-256color' }, true],
  ])('%s', (_, stream, env, takes) => expect(takesColour(stream, env)).toBe(takes))
})

describe('paint', () => {
  const plainEnv = () => {
    for (const name of ['NO_COLOR', 'FORCE_COLOR', 'TERM']) vi.stubEnv(name, undefined)
  }

  it('paints for a terminal, although standard output is a pipe here', () => {
    plainEnv()
    expect(paint('red', 'x', TERMINAL)).toBe('\u001b[31mx\u001b[39m')
  })

  it('leaves the text as it is for a pipe', () => {
    plainEnv()
    expect(paint('red', 'x', PIPE)).toBe('x')
  })

  it('obeys the environment', () => {
    plainEnv()
    vi.stubEnv('NO_COLOR', '1')
    expect(paint('red', 'x', TERMINAL)).toBe('x')
  })
})
