import type { Ledger } from '../../db/ledger.js'
import { ClassKeysError } from '../core/errors.js'
import { saveApiKeys } from '../files/api-keys-file.js'

/** The file with the secrets that no file had ever held. */
export interface HandOut {
  file: string
  /** The keys in it. */
  hashes: string[]
}

/**
 * Writes every secret that no file has ever held into a new one, also those of earlier runs.
 * @returns undefined where there is none
 * @throws ClassKeysError `file_unwritable`: the secrets are safe in the ledger
 */
export async function handOut(ledger: Ledger): Promise<HandOut | undefined> {
  const waiting = await ledger.waitingKeys()
  if (waiting.length === 0) return undefined
  const file = await saveApiKeys('.', waiting, new Date()).catch((error: Error) => {
    const advice =
      'The new keys are safe in the ledger: class-keys export-keys --output PATH writes them elsewhere.'
    throw new ClassKeysError('file_unwritable', `${error.message} ${advice}`, 1, { cause: error })
  })
  const hashes = waiting.map((key) => key.keyHash)
  await ledger.markHandedOut(hashes, file)
  return { file, hashes }
}
