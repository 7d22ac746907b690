/** What every view is given, and work that can be watched and stopped. */
import { useEffect, useRef, useState } from "preact/hooks";

export interface ViewProps {
  settings: Readonly<Record<string, string>>;
  change(settings: Record<string, string | undefined>): void;
}

export interface Work<T> {
  result: T | null;
  /** What is going on; empty when nothing is. */
  doing: string;
  /** Why it could not be done; empty when it was. */
  failure: string;
  stop(): void;
}

/**
 * Runs `work` again whenever one of `inputs` changes, stopping what ran before; null as work: there is nothing to do yet. The
 * result before stays until the next one is there.
 */
export function useWork<T>(
  work: ((signal: AbortSignal, tell: (doing: string) => void) => Promise<T>) | null,
  inputs: readonly unknown[],
): Work<T> {
  const [state, setState] = useState<Omit<Work<T>, "stop">>({ result: null, doing: "", failure: "" });
  const running = useRef<AbortController | null>(null);
  useEffect(() => {
    if (!work) {
      setState({ result: null, doing: "", failure: "" });
      return;
    }
    const control = new AbortController();
    running.current = control;
    const { signal } = control;
    const tell = (doing: string) => signal.aborted || setState((before) => ({ ...before, doing, failure: "" }));
    tell("starting");
    work(signal, tell).then(
      (result) => signal.aborted || setState({ result, doing: "", failure: "" }),
      (error) => signal.aborted || setState({ result: null, doing: "", failure: messageOf(error) }),
    );
    return () => control.abort();
  }, inputs);
  const stop = (): void => {
    running.current?.abort();
    setState({ result: null, doing: "", failure: "stopped" });
  };
  return { ...state, stop };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is wrong with a file, which one it is, and nothing of where that was noticed. */
export function about(name: string, error: unknown): string {
  const message = messageOf(error).replace(/^loadImage: /, "");
  return message.startsWith(name) ? message : `${name}: ${message}`;
}

/** Hands a file to the reader. */
export function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
