import { Component, type ReactNode } from "react";

/** A fault in one part leaves the others usable; the document lives outside of them and is not touched. */
export class Boundary extends Component<{ children: ReactNode }, { message: string | null }> {
  override state = { message: null };

  static getDerivedStateFromError(error: unknown): { message: string } {
    return { message: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    if (this.state.message === null) return this.props.children;
    return (
      <div className="fault" role="alert">
        <b>This part of the page stopped.</b>
        <p>Your network is safe. ({this.state.message})</p>
        <button type="button" className="button small" onClick={() => this.setState({ message: null })}>Show it again</button>
      </div>
    );
  }
}
