import { PassThrough } from 'node:stream'
import { afterEach } from 'vitest'

/** What is at the keyboard of a test. */
export interface Keyboard {
  /** What was typed and that nobody has read. */
  unread(): string
}

/**
 * Lets each test of a file decide what its standard input and standard error are, until it ends.
 * @returns `terminal` makes them look like one where somebody types some text, answers and all, and `pipe` like none
 */
export function useTerminal(): {
  terminal: (typed: string, options?: { hangsUp?: boolean }) => Keyboard
  pipe: () => void
} {
  const stdin = Object.getOwnPropertyDescriptor(process, 'stdin') as PropertyDescriptor
  const { isTTY } = process.stderr
  const set = (input: PassThrough, tty: boolean) => {
    Object.defineProperty(process, 'stdin', {
      configurable: true,
      value: Object.assign(input, { isTTY: tty }),
    })
    process.stderr.isTTY = tty
  }
  afterEach(() => {
    Object.defineProperty(process, 'stdin', stdin)
    process.stderr.isTTY = isTTY
  })
  return {
    terminal: (typed, { hangsUp = false } = {}) => {
      const keyboard = new PassThrough()
      keyboard.write(typed)
      if (hangsUp) keyboard.end()
      set(keyboard, true)
      return { unread: () => String(keyboard.read() ?? '') }
    },
    pipe: () => set(new PassThrough(), false),
  }
}
