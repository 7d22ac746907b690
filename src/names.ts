/** Names from files, databases and archives as paths below a folder. */

/** What Windows takes for a device, with any ending. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$/i;

/** Whether Windows takes `part` for a device, whatever the folder. */
export const isDeviceName = (part: string): boolean => DEVICE.test(part.split(".")[0].trimEnd());

/** Whether a name, with slashes between folders, is a path to a file below a folder on that platform (Node's word for it). */
export function isBelow(name: string, platform: string): boolean {
  if (/^[a-z]:[/\\]/i.test(name)) return false;
  return name.split("/").every((part) => {
    if (["", ".", ".."].includes(part) || /[\\\0]/.test(part)) return false;
    return platform !== "win32" || !(/\p{Cc}|[<>:"|?*]|[. ]$/u.test(part) || isDeviceName(part));
  });
}
