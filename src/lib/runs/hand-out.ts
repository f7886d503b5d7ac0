import type { Ledger } from '../../db/ledger.js'
import { ClassKeysError } from '../core/errors.js'
import type { StudentOutcome } from '../core/outcome.js'
import { saveApiKeys } from '../files/api-keys-file.js'

/** The file with the secrets that no file had ever held. */
export interface HandOut {
  file: string
  /** The keys in it. */
  hashes: string[]
  /** How many of the keys in it are of earlier runs. */
  recovered: number
}

/**
 * Writes every secret that no file has ever held into a new one, also those of earlier runs. That it was written is left
 * to the caller to write down.
 * @param outcomes what this run has made
 * @returns undefined where there is none
 * @throws ClassKeysError `file_unwritable`: the secrets are safe in the ledger
 */
export async function handOut(
  ledger: Ledger,
  outcomes: readonly StudentOutcome[],
): Promise<HandOut | undefined> {
  const waiting = await ledger.waitingKeys()
  if (waiting.length === 0) return undefined
  const file = await saveApiKeys('.', waiting, new Date()).catch((error: Error) => {
    const advice =
      'The new keys are safe in the ledger: class-keys export-keys --output PATH writes them elsewhere.'
    throw new ClassKeysError('file_unwritable', `${error.message} ${advice}`, 1, { cause: error })
  })
  const hashes = waiting.map((key) => key.keyHash)
  const made = new Set(outcomes.map((outcome) => outcome.hash))
  return { file, hashes, recovered: hashes.filter((hash) => !made.has(hash)).length }
}
