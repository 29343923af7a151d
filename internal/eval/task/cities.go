package task

import "strings"

// cities are the keys of the Gemini 1.5 protocol. The trainer keeps the names
// of large cities out of its data.
var cities = strings.Split(strings.ReplaceAll(strings.TrimSpace(`
Abidjan, Abu Dhabi, Accra, Addis Ababa, Adelaide, Ahmedabad, Algiers, Almaty, Amman, Amsterdam, Ankara,
Antananarivo, Antwerp, Athens, Atlanta, Auckland, Austin, Baghdad, Baku, Baltimore, Bamako, Bangalore,
Bangkok, Barcelona, Basel, Beijing, Beirut, Belfast, Belgrade, Bergen, Berlin, Bern, Bilbao, Birmingham,
Bogota, Bologna, Bordeaux, Boston, Brasilia, Bratislava, Bremen, Brisbane, Bristol, Brno, Brussels,
Bucharest, Budapest, Buenos Aires, Buffalo, Cairo, Calgary, Canberra, Cape Town, Caracas, Cardiff,
Casablanca, Charlotte, Chennai, Chicago, Christchurch, Cincinnati, Cleveland, Cologne, Colombo, Columbus,
Copenhagen, Cordoba, Cork, Dakar, Dallas, Damascus, Delhi, Denver, Detroit, Dhaka, Doha, Dortmund, Dresden,
Dubai, Dublin, Durban, Edinburgh, Edmonton, El Paso, Florence, Fortaleza, Frankfurt, Freetown, Fukuoka,
Gdansk, Geneva, Genoa, Ghent, Glasgow, Gothenburg, Granada, Graz, Guadalajara, Guatemala City, Guayaquil,
Halifax, Hamburg, Hanoi, Hanover, Harare, Havana, Helsinki, Hiroshima, Ho Chi Minh City, Hobart, Hong Kong,
Honolulu, Houston, Hyderabad, Indianapolis, Innsbruck, Islamabad, Istanbul, Jakarta, Jerusalem,
Johannesburg, Kampala, Kansas City, Karachi, Kathmandu, Khartoum, Kigali, Kingston, Kinshasa, Kolkata,
Krakow, Kuala Lumpur, Kyiv, Kyoto, La Paz, Lagos, Lahore, Las Vegas, Leeds, Leipzig, Lima, Lisbon,
Liverpool, Ljubljana, London, Los Angeles, Luanda, Lusaka, Luxembourg, Lyon, Madrid, Malaga, Managua,
Manchester, Manila, Maputo, Marrakesh, Marseille, Medellin, Melbourne, Memphis, Mexico City, Miami, Milan,
Milwaukee, Minneapolis, Minsk, Mombasa, Monterrey, Montevideo, Montreal, Moscow, Mumbai, Munich, Nagoya,
Nairobi, Nantes, Naples, Nashville, New Orleans, New York, Newcastle, Nice, Nicosia, Oakland, Odesa, Orlando,
Osaka, Oslo, Ottawa, Palermo, Panama City, Paris, Perth, Philadelphia, Phnom Penh, Phoenix, Pittsburgh,
Portland, Porto, Prague, Pretoria, Quebec, Quito, Rabat, Reykjavik, Riga, Rio de Janeiro, Riyadh, Rome,
Rotterdam, Sacramento, Salzburg, San Antonio, San Diego, San Francisco, San Jose, Santiago, Sao Paulo,
Sapporo, Sarajevo, Seattle, Seoul, Seville, Shanghai, Sheffield, Shenzhen, Singapore, Skopje, Sofia,
Stockholm, Strasbourg, Stuttgart, Sydney, Taipei, Tallinn, Tampa, Tashkent, Tbilisi, Tehran, Tel Aviv,
The Hague, Thessaloniki, Tirana, Tokyo, Toronto, Toulouse, Trieste, Tripoli, Tunis, Turin, Utrecht,
Valencia, Valparaiso, Vancouver, Venice, Verona, Vienna, Vilnius, Warsaw, Washington, Wellington, Winnipeg,
Yerevan, Yokohama, Zagreb, Zurich`), "\n", " "), ", ")
