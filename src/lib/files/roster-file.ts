import { BadFileError, type Problem, UsageError } from '../core/errors.js'
import { type Roster, readRoster } from '../core/roster.js'
import { parseCsv } from './csv.js'
import { readText, readTextIfThere } from './text.js'

/**
 * Reads the roster.
 * @throws UsageError `file_missing`; BadFileError with every problem of the file
 */
export async function loadRoster(path: string): Promise<Roster> {
  try {
    return understood(path, await readText(path, 'roster'))
  } catch (error) {
    if (!(error instanceof UsageError && error.code === 'file_missing')) throw error
    const advice =
      'Name it with --roster, or put it there: first_name,last_name,email,mq_id,budget,limit_reset.'
    throw new UsageError('roster_missing', `${error.message} ${advice}`)
  }
}

/**
 * Reads the roster if there is one.
 * @throws BadFileError with every problem of the file
 */
export async function loadRosterIfThere(path: string): Promise<Roster | undefined> {
  const text = await readTextIfThere(path, 'roster')
  return text === undefined ? undefined : understood(path, text)
}

function understood(path: string, text: string): Roster {
  const { roster, problems } = readRoster(parseCsv(text))
  const none: Problem = { message: 'has no students' }
  const all = problems.length === 0 && roster.students.length === 0 ? [none] : problems
  if (all.length > 0)
    throw new BadFileError(
      path,
      all,
      'Nothing was sent to OpenRouter. Mend the file and run the same command again.',
    )
  return roster
}
