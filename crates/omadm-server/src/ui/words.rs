//! What pages say in words of the server's own, in the languages that it knows.

/// The words of one language. `{}` stands for a number.
pub struct Words {
    /// Its BCP 47 tag.
    pub language: &'static str,
    /// Its name in itself.
    pub name: &'static str,
    /// Says what the links to other languages are.
    pub languages: &'static str,
    /// The button of a notice.
    pub ok: &'static str,
    /// The buttons of a consent.
    pub yes: &'static str,
    pub no: &'static str,
    /// The button of a choice or form.
    pub send: &'static str,
    /// Beside the label of a field that may stay empty.
    pub optional: &'static str,
    /// What is to be corrected.
    pub see_below: &'static str,
    pub choose_button: &'static str,
    pub choose: &'static str,
    pub needed: &'static str,
    pub check: &'static str,
    pub day: &'static str,
    pub number: &'static str,
    pub least: &'static str,
    pub most: &'static str,
    pub shortest: &'static str,
    pub longest: &'static str,
    pub one_line: &'static str,
    /// Titles and texts of pages that ask nothing.
    pub thanks: (&'static str, &'static str),
    pub over: (&'static str, &'static str),
    pub nothing: (&'static str, &'static str),
    pub failed: (&'static str, &'static str),
    pub not_taken: &'static str,
    pub foreign: &'static str,
    pub incomplete: &'static str,
    pub unreadable: &'static str,
}

/// All of them; the first is for who reads none of the others.
const ALL: &[Words] = &[ENGLISH, GERMAN, SPANISH, FRENCH, ITALIAN, DUTCH, PORTUGUESE];

/// Names of further languages in themselves, by the first part of their tags.
const NAMES: &[(&str, &str)] = &[
    ("ar", "العربية"),
    ("bg", "български"),
    ("cs", "čeština"),
    ("da", "dansk"),
    ("el", "ελληνικά"),
    ("fa", "فارسی"),
    ("fi", "suomi"),
    ("he", "עברית"),
    ("hi", "हिन्दी"),
    ("hr", "hrvatski"),
    ("hu", "magyar"),
    ("id", "Bahasa Indonesia"),
    ("ja", "日本語"),
    ("ko", "한국어"),
    ("nb", "norsk bokmål"),
    ("no", "norsk"),
    ("pl", "polski"),
    ("ro", "română"),
    ("ru", "русский"),
    ("sk", "slovenčina"),
    ("sl", "slovenščina"),
    ("sv", "svenska"),
    ("th", "ไทย"),
    ("tr", "Türkçe"),
    ("uk", "українська"),
    ("ur", "اردو"),
    ("vi", "Tiếng Việt"),
    ("zh", "中文"),
];

/// Languages that are written from right to left, by the first part of their tags.
const RIGHT_TO_LEFT: &[&str] = &["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

/// The first part of a tag.
fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or(tag)
}

impl Words {
    /// Those of a language, if there are any.
    pub fn known(tag: &str) -> Option<&'static Self> {
        ALL.iter().find(|words| words.language.eq_ignore_ascii_case(primary(tag)))
    }

    /// Those of a language, else the English ones.
    pub fn of(tag: &str) -> &'static Self {
        Self::known(tag).unwrap_or(&ENGLISH)
    }
}

/// The name of a language in itself, as far as it is known; else its tag.
pub fn name_of(tag: &str) -> String {
    let first = primary(tag);
    let listed =
        NAMES.iter().find(|(language, _)| language.eq_ignore_ascii_case(first)).map(|(_, name)| *name);
    match Words::known(tag).map(|words| words.name).or(listed) {
        Some(name) if first.len() == tag.len() => name.to_owned(),
        Some(name) => format!("{name} ({tag})"),
        None => tag.to_owned(),
    }
}

/// Whether a language is written from right to left.
pub fn is_right_to_left(tag: &str) -> bool {
    RIGHT_TO_LEFT.iter().any(|language| language.eq_ignore_ascii_case(primary(tag)))
}

const ENGLISH: Words = Words {
    language: "en",
    name: "English",
    languages: "Language",
    ok: "OK",
    yes: "Yes",
    no: "No",
    send: "Send",
    optional: "(optional)",
    see_below: "Something is missing or not right; see below.",
    choose_button: "Please choose one of the buttons.",
    choose: "Please choose one.",
    needed: "This is needed.",
    check: "This has to be checked.",
    day: "Please write a day as year-month-day.",
    number: "Please write a whole number.",
    least: "Please write {} or more.",
    most: "Please write {} or less.",
    shortest: "Please write at least {} characters.",
    longest: "Please write at most {} characters.",
    one_line: "Please write one line.",
    thanks: ("Thank you", "Your answer was received. You can close this page."),
    over: (
        "No longer needed",
        "The time for an answer is over, or it is not wanted any more. You can close this page.",
    ),
    nothing: ("Nothing here", "There is no such page, or not any more."),
    failed: ("Please try again", "This did not work at the moment. Please try again in a minute."),
    not_taken: "Not taken",
    foreign: "This answer came from another page, and was not taken.",
    incomplete: "Your answer did not arrive as a whole. Please send it again.",
    unreadable: "Your answer could not be read.",
};

const GERMAN: Words = Words {
    language: "de",
    name: "Deutsch",
    languages: "Sprache",
    ok: "OK",
    yes: "Ja",
    no: "Nein",
    send: "Senden",
    optional: "(freiwillig)",
    see_below: "Etwas fehlt oder stimmt nicht; siehe unten.",
    choose_button: "Bitte wählen Sie einen der Knöpfe.",
    choose: "Bitte wählen Sie eines aus.",
    needed: "Dies wird gebraucht.",
    check: "Dies muss angekreuzt werden.",
    day: "Bitte schreiben Sie einen Tag als Jahr-Monat-Tag.",
    number: "Bitte schreiben Sie eine ganze Zahl.",
    least: "Bitte schreiben Sie {} oder mehr.",
    most: "Bitte schreiben Sie {} oder weniger.",
    shortest: "Bitte schreiben Sie mindestens {} Zeichen.",
    longest: "Bitte schreiben Sie höchstens {} Zeichen.",
    one_line: "Bitte schreiben Sie eine Zeile.",
    thanks: ("Danke", "Ihre Antwort ist angekommen. Sie können diese Seite schließen."),
    over: (
        "Nicht mehr nötig",
        "Die Zeit für eine Antwort ist um, oder sie wird nicht mehr gebraucht. Sie können diese Seite schließen.",
    ),
    nothing: ("Hier ist nichts", "Diese Seite gibt es nicht, oder nicht mehr."),
    failed: (
        "Bitte versuchen Sie es noch einmal",
        "Das ging gerade nicht. Bitte versuchen Sie es in einer Minute noch einmal.",
    ),
    not_taken: "Nicht angenommen",
    foreign: "Diese Antwort kam von einer anderen Seite und wurde nicht angenommen.",
    incomplete: "Ihre Antwort kam nicht vollständig an. Bitte senden Sie sie noch einmal.",
    unreadable: "Ihre Antwort konnte nicht gelesen werden.",
};

const SPANISH: Words = Words {
    language: "es",
    name: "español",
    languages: "Idioma",
    ok: "Aceptar",
    yes: "Sí",
    no: "No",
    send: "Enviar",
    optional: "(opcional)",
    see_below: "Falta algo o algo no es correcto; véase abajo.",
    choose_button: "Elija uno de los botones.",
    choose: "Elija una opción.",
    needed: "Este dato es necesario.",
    check: "Esta casilla debe estar marcada.",
    day: "Escriba un día como año-mes-día.",
    number: "Escriba un número entero.",
    least: "Escriba {} o más.",
    most: "Escriba {} o menos.",
    shortest: "Escriba al menos {} caracteres.",
    longest: "Escriba como máximo {} caracteres.",
    one_line: "Escriba una sola línea.",
    thanks: ("Gracias", "Hemos recibido su respuesta. Puede cerrar esta página."),
    over: (
        "Ya no es necesario",
        "El plazo para responder ha terminado o la respuesta ya no hace falta. Puede cerrar esta página.",
    ),
    nothing: ("Aquí no hay nada", "Esta página no existe o ya no existe."),
    failed: ("Inténtelo de nuevo", "En este momento no ha sido posible. Inténtelo de nuevo en un minuto."),
    not_taken: "No aceptada",
    foreign: "Esta respuesta venía de otra página y no se ha aceptado.",
    incomplete: "Su respuesta no llegó completa. Envíela de nuevo.",
    unreadable: "No se ha podido leer su respuesta.",
};

const FRENCH: Words = Words {
    language: "fr",
    name: "français",
    languages: "Langue",
    ok: "OK",
    yes: "Oui",
    no: "Non",
    send: "Envoyer",
    optional: "(facultatif)",
    see_below: "Il manque quelque chose ou quelque chose n’est pas correct ; voir ci-dessous.",
    choose_button: "Veuillez choisir l’un des boutons.",
    choose: "Veuillez choisir une réponse.",
    needed: "Cette réponse est nécessaire.",
    check: "Cette case doit être cochée.",
    day: "Veuillez écrire un jour sous la forme année-mois-jour.",
    number: "Veuillez écrire un nombre entier.",
    least: "Veuillez écrire {} ou plus.",
    most: "Veuillez écrire {} ou moins.",
    shortest: "Veuillez écrire au moins {} caractères.",
    longest: "Veuillez écrire au plus {} caractères.",
    one_line: "Veuillez écrire une seule ligne.",
    thanks: ("Merci", "Votre réponse a été reçue. Vous pouvez fermer cette page."),
    over: (
        "Plus nécessaire",
        "Le délai de réponse est écoulé, ou la réponse n’est plus attendue. Vous pouvez fermer cette page.",
    ),
    nothing: ("Il n’y a rien ici", "Cette page n’existe pas, ou n’existe plus."),
    failed: ("Veuillez réessayer", "Cela n’a pas fonctionné. Veuillez réessayer dans une minute."),
    not_taken: "Non acceptée",
    foreign: "Cette réponse venait d’une autre page et n’a pas été acceptée.",
    incomplete: "Votre réponse n’est pas arrivée en entier. Veuillez l’envoyer à nouveau.",
    unreadable: "Votre réponse n’a pas pu être lue.",
};

const ITALIAN: Words = Words {
    language: "it",
    name: "italiano",
    languages: "Lingua",
    ok: "OK",
    yes: "Sì",
    no: "No",
    send: "Invia",
    optional: "(facoltativo)",
    see_below: "Manca qualcosa o qualcosa non è corretto; vedere sotto.",
    choose_button: "Scegliere uno dei pulsanti.",
    choose: "Scegliere una risposta.",
    needed: "Questa risposta è necessaria.",
    check: "Questa casella deve essere selezionata.",
    day: "Scrivere un giorno come anno-mese-giorno.",
    number: "Scrivere un numero intero.",
    least: "Scrivere {} o più.",
    most: "Scrivere {} o meno.",
    shortest: "Scrivere almeno {} caratteri.",
    longest: "Scrivere al massimo {} caratteri.",
    one_line: "Scrivere una sola riga.",
    thanks: ("Grazie", "La risposta è stata ricevuta. È possibile chiudere questa pagina."),
    over: (
        "Non più necessario",
        "Il tempo per rispondere è scaduto, o la risposta non serve più. È possibile chiudere questa pagina.",
    ),
    nothing: ("Qui non c’è niente", "Questa pagina non esiste, o non esiste più."),
    failed: ("Riprovare", "In questo momento non è stato possibile. Riprovare tra un minuto."),
    not_taken: "Non accettata",
    foreign: "Questa risposta veniva da un’altra pagina e non è stata accettata.",
    incomplete: "La risposta non è arrivata per intero. Inviarla di nuovo.",
    unreadable: "La risposta non ha potuto essere letta.",
};

const DUTCH: Words = Words {
    language: "nl",
    name: "Nederlands",
    languages: "Taal",
    ok: "OK",
    yes: "Ja",
    no: "Nee",
    send: "Verzenden",
    optional: "(niet verplicht)",
    see_below: "Er ontbreekt iets of er klopt iets niet; zie hieronder.",
    choose_button: "Kies een van de knoppen.",
    choose: "Kies een antwoord.",
    needed: "Dit is nodig.",
    check: "Dit moet worden aangevinkt.",
    day: "Schrijf een dag als jaar-maand-dag.",
    number: "Schrijf een geheel getal.",
    least: "Schrijf {} of meer.",
    most: "Schrijf {} of minder.",
    shortest: "Schrijf ten minste {} tekens.",
    longest: "Schrijf ten hoogste {} tekens.",
    one_line: "Schrijf één regel.",
    thanks: ("Dank u", "Uw antwoord is ontvangen. U kunt deze pagina sluiten."),
    over: (
        "Niet meer nodig",
        "De tijd om te antwoorden is voorbij, of het antwoord is niet meer nodig. U kunt deze pagina sluiten.",
    ),
    nothing: ("Hier is niets", "Deze pagina bestaat niet, of niet meer."),
    failed: ("Probeer het opnieuw", "Dit lukte nu niet. Probeer het over een minuut opnieuw."),
    not_taken: "Niet aangenomen",
    foreign: "Dit antwoord kwam van een andere pagina en is niet aangenomen.",
    incomplete: "Uw antwoord is niet volledig aangekomen. Verzend het opnieuw.",
    unreadable: "Uw antwoord kon niet worden gelezen.",
};

const PORTUGUESE: Words = Words {
    language: "pt",
    name: "português",
    languages: "Idioma",
    ok: "OK",
    yes: "Sim",
    no: "Não",
    send: "Enviar",
    optional: "(opcional)",
    see_below: "Falta algo ou algo não está certo; veja abaixo.",
    choose_button: "Escolha um dos botões.",
    choose: "Escolha uma resposta.",
    needed: "Esta resposta é necessária.",
    check: "Esta caixa tem de estar marcada.",
    day: "Escreva um dia como ano-mês-dia.",
    number: "Escreva um número inteiro.",
    least: "Escreva {} ou mais.",
    most: "Escreva {} ou menos.",
    shortest: "Escreva pelo menos {} caracteres.",
    longest: "Escreva no máximo {} caracteres.",
    one_line: "Escreva uma só linha.",
    thanks: ("Obrigado", "A sua resposta foi recebida. Pode fechar esta página."),
    over: (
        "Já não é necessário",
        "O prazo para responder terminou, ou a resposta já não é necessária. Pode fechar esta página.",
    ),
    nothing: ("Não há nada aqui", "Esta página não existe, ou já não existe."),
    failed: ("Tente de novo", "Neste momento não foi possível. Tente de novo daqui a um minuto."),
    not_taken: "Não aceite",
    foreign: "Esta resposta veio de outra página e não foi aceite.",
    incomplete: "A sua resposta não chegou inteira. Envie-a de novo.",
    unreadable: "Não foi possível ler a sua resposta.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_tags_of_any_length() {
        for (tag, language) in [("de", "de"), ("DE-ch", "de"), ("pt-BR", "pt"), ("sw", "en"), ("", "en")] {
            assert_eq!(Words::of(tag).language, language, "{tag}");
        }
        assert!(Words::known("sw").is_none());
    }

    #[test]
    fn languages_have_their_own_names() {
        let names = ["de", "de-CH", "ja", "sw"].map(name_of);
        assert_eq!(names, ["Deutsch", "Deutsch (de-CH)", "日本語", "sw"]);
        assert!(is_right_to_left("ar-EG") && !is_right_to_left("arn"));
    }

    #[test]
    fn every_language_has_a_place_for_each_number() {
        for words in ALL {
            for text in [words.least, words.most, words.shortest, words.longest] {
                assert_eq!(text.matches("{}").count(), 1, "{}: {text}", words.language);
            }
        }
    }
}
