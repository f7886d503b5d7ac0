import { createRequire } from 'node:module'
import { stripVTControlCharacters } from 'node:util'

/*
 * What a text takes on a screen. The packages that know it of every script compile the tables of all of Unicode when
 * they are loaded, which takes longer than most commands: they are loaded for a text that is not plain ASCII. The build
 * puts them into the bundle at these calls.
 */
const load = createRequire(import.meta.url)

const PLAIN = /^[\x20-\x7e]*$/

/** How many columns of a terminal a text takes, its colours aside. */
export function widthOf(text: string): number {
  const bare = stripVTControlCharacters(text)
  return PLAIN.test(bare) ? bare.length : load('string-width').default(bare)
}

/**
 * Shortens a text, with `…` in the place of what goes.
 * @param width how many columns it may take; where the cut falls into a wide character it may be one more
 * @param from which end of it stays
 */
export function shortened(text: string, width: number, from: 'start' | 'end' = 'start'): string {
  if (PLAIN.test(text)) {
    if (text.length <= width) return text
    return from === 'start' ? `${text.slice(0, width - 1)}…` : `…${text.slice(text.length - width + 1)}`
  }
  return load('cli-truncate').default(text, width, { position: from === 'start' ? 'end' : 'start' })
}

/** Breaks a text between words, its colours kept; a word that is longer than the line stays whole. */
export function wrapped(text: string, width: number): string {
  return load('wrap-ansi').default(text, width)
}
