/** What `init-db` has found and done. */
type Came = 'created' | 'adopted' | 'already there'

const SAYS: Readonly<Record<Came, (isWindows: boolean) => string>> = {
  created: (isWindows) =>
    `created, at schema v2. It will hold the secrets of the keys: keep it to yourself, and keep a backup.${where(isWindows)}`,
  adopted: (isWindows) =>
    `adopted: it is the Python tool's ledger, at schema v2. Its tables are as they were, class-keys has added tables of its own${isWindows ? `.${where(true)}` : ', and the file is readable by you alone.'}`,
  'already there': () => 'is already at schema v2; nothing to do.',
}

/**
 * What `init-db` shows.
 * @param platform as `process.platform` has it: Windows has no permissions that a program could give to one file simply
 */
export function initDbView(path: string, came: Came, platform: NodeJS.Platform): string[] {
  return [`${path} ${SAYS[came](platform === 'win32')}`]
}

function where(isWindows: boolean): string {
  if (!isWindows) return ''
  return ' On Windows a file is read by whoever may read its folder: keep it in a folder of your own, such as Documents, and not in a shared one.'
}
