import type { ExportResult } from '../../core/results.js'
import { count } from '../../core/words.js'

/** What `export-keys` shows. */
export function exportView({ file, keys, withoutSecret }: ExportResult): string[] {
  return [
    `${count(keys, 'key')} written to ${file}.`,
    ...(withoutSecret > 0
      ? [
          `${withoutSecret} of them without a secret: this ledger has never held it, since the key was made elsewhere.`,
        ]
      : []),
    'It holds the secrets: hand each student their own, then delete the file.',
  ]
}
