import type { ExportResult } from '../../core/results.js'
import { count } from '../../core/words.js'

/** What `export-keys` shows. */
export function exportView({ file, keys, withoutSecret }: ExportResult): string[] {
  return [
    `${count(keys, 'key')} written to ${file}.`,
    ...(withoutSecret > 0
      ? [
          withoutSecret === 1
            ? '1 of them has no secret here, since it was made elsewhere.'
            : `${withoutSecret} of them have no secret here, since they were made elsewhere.`,
        ]
      : []),
    'It holds the secrets: hand each student their own, then delete the file.',
  ]
}
