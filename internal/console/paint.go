package console

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// paint colours text; the zero paint does not.
type paint struct{ on bool }

var (
	boldStyle   = lipgloss.NewStyle().Bold(true)
	faintStyle  = lipgloss.NewStyle().Faint(true)
	accentStyle = lipgloss.NewStyle().Foreground(lipgloss.Blue)
	againStyle  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	goodStyle   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	badStyle    = lipgloss.NewStyle().Foreground(lipgloss.Red)
)

func (p paint) with(s lipgloss.Style, text string) string {
	if !p.on || text == "" {
		return text
	}
	return s.Render(text)
}

func (p paint) bold(text string) string  { return p.with(boldStyle, text) }
func (p paint) faint(text string) string { return p.with(faintStyle, text) }

// state colours the name of an update's state.
func (p paint) state(state string) string {
	switch state {
	case "activated":
		return p.with(goodStyle, state)
	case "failed":
		return p.with(badStyle, state)
	case "transferred":
		return p.with(againStyle, state)
	default:
		return p.with(accentStyle, state)
	}
}

// bar draws how much of an image is there.
func (p paint) bar(part, whole uint32, width int) string {
	width = max(4, width)
	full := 0
	if whole > 0 {
		full = int(uint64(min(part, whole)) * uint64(width) / uint64(whole))
	}
	return p.with(accentStyle, strings.Repeat("█", full)) + p.faint(strings.Repeat("░", width-full))
}

// cut shortens a line to the width of the terminal.
func cut(line string, width int) string { return ansi.Truncate(line, width, "…") }

// cutAll shortens every line, and leaves no more of them than fit.
func cutAll(lines []string, width, height int) string {
	if height > 0 && len(lines) > height {
		lines = lines[:height]
	}
	for i := range lines {
		lines[i] = cut(lines[i], width)
	}
	return strings.Join(lines, "\n")
}
