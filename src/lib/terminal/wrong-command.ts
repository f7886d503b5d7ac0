import levenshtein from 'fast-levenshtein'

/** What is to be known of a program whose command is not found. */
export interface Commands {
  /** What the program is called. */
  bin: string
  commands: readonly { id: string; hidden?: boolean; flags?: Record<string, { char?: string | undefined }> }[]
}

/** Says what is wrong with words that name no command, and what to do. */
export function wrongCommand(words: readonly string[], { bin, commands }: Commands): string {
  const [first = '', ...rest] = words
  if (first.startsWith('-')) {
    const known = commands.some(({ flags = {} }) =>
      Object.entries(flags).some(([name, { char }]) => [`--${name}`, `-${char}`].includes(optionOf(first))),
    )
    return known
      ? `The command comes first, then its options: ${bin} COMMAND ${first}. Run ${bin} help for the commands.`
      : `${first} is not an option of ${bin}. Run ${bin} help for what there is.`
  }
  if (commands.some(({ id }) => id === first))
    return `${bin} ${first} takes no argument ${rest.join(' ')}. Add --help to see what there is.`
  const near = nearestCommand(words, commands)
  return near === undefined
    ? `${words.join(' ')} is not a command of ${bin}. Run ${bin} help for the commands.`
    : `${words.join(' ')} is not a command of ${bin}. Did you mean ${near}? Run ${bin} help for all of them.`
}

/** The command that may have been meant: one that begins with the word, or is a slip or two away from it. */
export function nearestCommand(words: readonly string[], commands: Commands['commands']): string | undefined {
  const typed = words.join(' ')
  const [nearest] = commands
    .filter(({ hidden }) => !hidden)
    .map(({ id }) => ({ id: id.replaceAll(':', ' '), slips: slipsBetween(typed, id) }))
    .filter(({ slips }) => slips <= Math.ceil(typed.length / 3))
    .sort((a, b) => a.slips - b.slips)
  return nearest?.id
}

/** How many characters two words differ in; the beginning of a command stands for the whole of it. */
function slipsBetween(typed: string, id: string): number {
  return typed.length > 2 && id.startsWith(typed) ? 0 : levenshtein.get(typed, id)
}

function optionOf(word: string): string {
  return word.replace(/=.*$/, '')
}
